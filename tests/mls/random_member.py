"""One member of a group whose life is random, and what an attacker can do with all that it ever held."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from conclaved.mls import (
    AuthenticatedContent,
    CipherSuite,
    Commit,
    Group,
    MlsError,
    PreSharedKeyID,
    RemoteError,
    ResolvedProposal,
    Stage,
)
from conclaved.mls.commit_processing import available_psks, init_secret_of
from conclaved.mls.crypto import crypto_for
from conclaved.mls.kem import HpkePrivateKey
from conclaved.mls.key_schedule import EpochKeys, epoch_secret, joiner_secret
from conclaved.mls.psk import look_up, psk_secret
from tests.mls.cast import Person

PSKS = {b"one": b"first key", b"two": b"second key"}


@dataclass(frozen=True)
class Entry:
    """One message in the order that all members see."""

    data: bytes
    by: "Member | None"
    """Whose it is; None for one from outside."""
    is_commit: bool


@dataclass(frozen=True)
class Epoch:
    """What came to be known of an epoch, by whoever was in it."""

    authenticator: bytes
    exported: bytes
    tree_hash: bytes
    context: bytes

    @classmethod
    def of(cls, group: Group) -> "Epoch":
        return cls(
            group.epoch_authenticator,
            group.export("test", b"", 16),
            group.tree_hash,
            group.group_context.encode(),
        )


@dataclass(frozen=True)
class Path:
    """The path of a Commit, with the context that its secrets are sealed in."""

    suite: CipherSuite
    epoch: int
    """The one that it begins."""
    commit: Commit
    proposals: tuple[ResolvedProposal, ...]
    psk_ids: tuple[PreSharedKeyID, ...]
    context: bytes

    def check_shut(self, keys: Iterable[HpkePrivateKey]) -> None:
        """No secret in it opens with any of these keys."""
        if self.commit.path is None:
            return
        context = crypto_for(self.suite).label_context("UpdatePathNode", self.context)
        for key in keys:
            for node in self.commit.path.nodes:
                for sealed in node.encrypted_path_secret:
                    with pytest.raises(RemoteError):
                        context.open(key, sealed)


class Member:
    """Reads the log at its own pace: it may be behind, but it sees what all others see."""

    def __init__(self, person: Person, group: Group, at: int) -> None:
        self.person = person
        self.group = group
        self.at = at
        """How many entries of the log it has read."""
        self.first_epoch = group.epoch
        self.past: list[Group] = []
        """Retired groups that still open late messages."""
        self.known: list[AuthenticatedContent] = []
        """Proposals of this epoch."""
        self.is_removed = False

    @property
    def name(self) -> str:
        return self.person.name

    def hold(self) -> list[HpkePrivateKey]:
        """All HPKE private keys that it has now."""
        return list(self.group._secrets.private_keys.values())

    def enter(self, group: Group) -> None:
        """Go on into the next epoch."""
        self.past = [*self.past[-1:], self.group]
        self.group, self.known = group, []

    def read(self, entry: Entry) -> Path | None:
        """Take in the next entry of the log; gives a Commit's path."""
        self.at += 1
        if entry.by is self:
            return None
        content = self.group.unprotect(entry.data, allow_outsiders=True)
        if not entry.is_commit:
            self.known.append(content)
            return None
        staged = self.group.stage(content, self.known, psks=PSKS, allow_external=True, allow_reinit=True)
        assert isinstance(content.body, Commit)
        transition = staged._transition
        path = Path(
            self.group.suite,
            staged.epoch,
            content.body,
            staged.proposals,
            transition.applied.psks,
            transition.context.encode(),
        )
        if staged.removes_us:
            self.is_removed = True
        else:
            self.enter(staged.merge())
        return path

    def guesses(self, context: bytes, path: Path) -> list[bytes]:
        """Authenticators of the next epoch that one can derive who has all of this one but not the path.

        `context` is the next epoch's. All that is missing is the commit secret, for which other secrets
        are put in.
        """
        state, secrets = self.group._state, self.group._secrets
        crypto = state.crypto
        psk = psk_secret(crypto, look_up(path.psk_ids, available_psks(state, secrets, PSKS)))
        init = init_secret_of(state, secrets, path.proposals)
        found = []
        for commit_secret in (crypto.zero, init, bytes(secrets.keys.get("exporter_secret"))):
            joiner = joiner_secret(crypto, init, commit_secret, context)
            secret = epoch_secret(crypto, joiner, psk, context)
            found.append(EpochKeys.derive(crypto, secret).take("epoch_authenticator"))
        return found

    def opens(self, data: bytes) -> bytes | None:
        """What a message says, if any group that it still has opens it."""
        for group in (self.group, *self.past):
            if group.stage_of_life is Stage.CLOSED:
                continue
            try:
                body = group.unprotect(data).body
            except MlsError:
                continue
            assert isinstance(body, bytes)
            return body
        return None
