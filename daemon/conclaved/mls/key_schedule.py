"""The key schedule (RFC 9420 §8): from one epoch's init secret to the next epoch's secrets."""

from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import GoneError
from conclaved.mls.kem import HpkePrivateKey, Secret
from conclaved.mls.single_owner import NotCopied

_LABELS = {
    "sender_data_secret": "sender data",
    "encryption_secret": "encryption",
    "exporter_secret": "exporter",
    "external_secret": "external",
    "confirmation_key": "confirm",
    "membership_key": "membership",
    "resumption_psk": "resumption",
    "epoch_authenticator": "authentication",
    "init_secret": "init",
}
# What a finished epoch still needs to receive its late messages.
_NEEDED_TO_RECEIVE = frozenset({"sender_data_secret", "membership_key"})


def joiner_secret(crypto: Crypto, init_secret: Secret, commit_secret: Secret, group_context: bytes) -> bytes:
    """The joiner secret of the epoch with that (encoded) GroupContext."""
    extracted = crypto.extract(init_secret, commit_secret)
    return crypto.expand_with_label(extracted, "joiner", group_context, crypto.hash_size)


def welcome_secret(crypto: Crypto, joiner: Secret, psk_secret: Secret) -> bytes:
    """The secret under which a Welcome's GroupInfo is sealed."""
    return crypto.derive_secret(crypto.extract(joiner, psk_secret), "welcome")


def epoch_secret(crypto: Crypto, joiner: Secret, psk_secret: Secret, group_context: bytes) -> bytes:
    """The secret that all of an epoch's secrets are derived from."""
    member_secret = crypto.extract(joiner, psk_secret)
    return crypto.expand_with_label(member_secret, "epoch", group_context, crypto.hash_size)


class EpochKeys(NotCopied):
    """The secrets derived from one epoch secret. Single owner; erased piece by piece.

    `take` hands a secret out and erases it here; `get` lends it. A secret that has been erased raises
    GoneError. Buffers are overwritten, as far as Python lets one: copies that the primitives made are
    merely dropped.
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: dict[str, bytearray]) -> None:
        self._secrets = secrets

    @classmethod
    def derive(cls, crypto: Crypto, secret: Secret) -> "EpochKeys":
        """Derive all of them (RFC 9420 Table 4)."""
        return cls({name: bytearray(crypto.derive_secret(secret, label)) for name, label in _LABELS.items()})

    def get(self, name: str) -> bytearray:
        """The secret of that name, still owned here."""
        if name not in self._secrets:
            raise GoneError(f"the {name} is gone: the epoch is over, or was closed")
        return self._secrets[name]

    def take(self, name: str) -> bytes:
        """The secret of that name, no longer kept here."""
        secret = bytes(self.get(name))
        self.erase(name)
        return secret

    def erase(self, name: str) -> None:
        """Overwrite and forget one secret; idempotent."""
        secret = self._secrets.pop(name, None)
        if secret is not None:
            secret[:] = bytes(len(secret))

    def retire(self) -> None:
        """Forget all but what receiving late messages needs."""
        for name in set(self._secrets) - _NEEDED_TO_RECEIVE:
            self.erase(name)

    def close(self) -> None:
        """Forget everything; idempotent."""
        for name in list(self._secrets):
            self.erase(name)

    def __repr__(self) -> str:
        return f"EpochKeys({len(self._secrets)} held)"


def external_key_pair(crypto: Crypto, external_secret: Secret) -> HpkePrivateKey:
    """The key pair that outsiders can join by (RFC 9420 §8)."""
    return crypto.derive_key_pair(external_secret)


def export(crypto: Crypto, exporter_secret: Secret, label: str, context: bytes, length: int) -> bytes:
    """MLS-Exporter (RFC 9420 §8.5); `length` bytes."""
    secret = crypto.derive_secret(exporter_secret, label)
    return crypto.expand_with_label(secret, "exported", crypto.hash(context), length)
