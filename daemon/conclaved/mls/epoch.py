"""One epoch of a group: what everybody may know of it, and this member's secrets in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from conclaved.mls.credential import AuthenticationService
from conclaved.mls.crypto import Crypto, Signer
from conclaved.mls.errors import GoneError, LocalError
from conclaved.mls.group_context import GroupContext
from conclaved.mls.kem import HpkePrivateKey, Secret
from conclaved.mls.key_schedule import EpochKeys
from conclaved.mls.proposal import ReInit
from conclaved.mls.psk import ResumptionPskUsage
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.secret_tree import SecretTree
from conclaved.mls.single_owner import NotCopied, SingleOwner
from conclaved.mls.validation import Judge
from conclaved.mls.working_ahead import Worker


@dataclass(frozen=True, slots=True)
class GroupState:
    """The public state of an epoch, and which member we are. An immutable value."""

    crypto: Crypto
    context: GroupContext
    tree: RatchetTree
    interim_transcript_hash: bytes = field(repr=False)
    own_leaf: int
    auth: AuthenticationService = field(repr=False)
    reinit: ReInit | None = None
    """Set once a Commit has ended the group in favour of another one; nothing is sent any more."""

    def judge(
        self,
        now: int | None,
        *,
        allow_reinit: bool = False,
        continues: ResumptionPskUsage = ResumptionPskUsage.APPLICATION,
        worker: Worker | None = None,
    ) -> Judge:
        """Who applies this group's rules at that time."""
        return Judge(self.crypto, self.context.group_id, self.auth, now, allow_reinit, continues, worker)

    def check_can_send(self) -> None:
        """LocalError if a ReInit has ended the group (RFC 9420 §12.4.2)."""
        if self.reinit is not None:
            raise LocalError("the group has been reinitialised: nothing is sent in it any more")


@dataclass(frozen=True, slots=True)
class UpdateKeys(NotCopied):
    """The private half of an Update proposal that no Commit has taken up yet."""

    leaf_key: HpkePrivateKey = field(repr=False)
    signer: Signer = field(repr=False)


class Stage(Enum):
    """How much of an epoch's secrets is left."""

    LIVE = "live"
    RETIRED = "retired"
    """Only late messages can still be received."""
    CLOSED = "closed"


class EpochSecrets(SingleOwner):
    """One member's secrets of one epoch. Single owner; not copied, not pickled, closed when consumed."""

    __slots__ = ("_private_keys", "_sent", "_signer", "_updates", "keys", "secret_tree", "stage")

    def __init__(
        self,
        keys: EpochKeys,
        secret_tree: SecretTree,
        private_keys: Mapping[int, HpkePrivateKey],
        signer: Signer,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.secret_tree = secret_tree
        self._private_keys = dict(private_keys)
        self._signer: Signer | None = signer
        self._updates: dict[bytes, UpdateKeys] = {}
        self._sent: set[bytes] = set()
        self.stage = Stage.LIVE

    @classmethod
    def derive(
        cls,
        crypto: Crypto,
        epoch_secret: Secret,
        n_leaves: int,
        private_keys: Mapping[int, HpkePrivateKey],
        signer: Signer,
    ) -> "EpochSecrets":
        """All secrets of the epoch with that epoch secret; the tree has `n_leaves`, blanks included."""
        keys = EpochKeys.derive(crypto, epoch_secret)
        secret_tree = SecretTree(crypto, keys.take("encryption_secret"), n_leaves)
        return cls(keys, secret_tree, private_keys, signer)

    def check_live(self) -> None:
        """GoneError unless this is the current epoch, with all its secrets, in the process that began it."""
        self.check_own_process()
        if self.stage is Stage.RETIRED:
            raise GoneError("the epoch is over: go on in the group that merge returned")
        if self.stage is Stage.CLOSED:
            raise GoneError("the group is closed")

    @property
    def private_keys(self) -> Mapping[int, HpkePrivateKey]:
        """HPKE private keys by node index; GoneError unless live."""
        self.check_live()
        return self._private_keys

    @property
    def signer(self) -> Signer:
        """Whose signatures go with our leaf in this epoch; GoneError unless live."""
        self.check_live()
        if self._signer is None:
            raise GoneError("the signer of this epoch is gone")
        return self._signer

    def keep_update(self, encryption_key: bytes, keys: UpdateKeys) -> None:
        """Keep the private half of our own Update proposal until the epoch ends."""
        self.check_live()
        self._updates[encryption_key] = keys

    def find_update(self, encryption_key: bytes) -> UpdateKeys:
        """The private half of the Update with that key; GoneError if it is not ours or gone."""
        if encryption_key not in self._updates:
            raise GoneError("the private key of this member's Update is gone")
        return self._updates[encryption_key]

    def remember_sent(self, digest: bytes) -> None:
        """Remember the hash of a handshake message that we sent, to know its echo."""
        self._sent.add(digest)

    def has_sent(self, digest: bytes) -> bool:
        """Whether we sent the handshake message with that hash in this epoch."""
        return digest in self._sent

    def retire(self) -> None:
        """Drop all but what receiving late messages needs; idempotent."""
        if self.stage is Stage.LIVE:
            self.stage = Stage.RETIRED
            self.keys.retire()
            self._private_keys.clear()
            self._updates.clear()
            # It may have been replaced: a key that nobody signs with any more is not to be kept either.
            self._signer = None

    def close(self) -> None:
        """Drop everything; idempotent."""
        self.retire()
        self.stage = Stage.CLOSED
        self.keys.close()
        self.secret_tree.close()
        self._updates.clear()
        self._sent.clear()

    def __repr__(self) -> str:
        return f"EpochSecrets({self.stage.value})"
