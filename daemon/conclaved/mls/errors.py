"""The errors of this room, in the three kinds that a library without I/O can meet."""


class MlsError(Exception):
    """Root of what `conclaved.mls` raises. The group is as it was before the call.

    Beside it: TypeError or AttributeError for an argument of another type, TypeError for a copy of a secret,
    and whatever the caller's own `auth` and `inspect` raise.
    """


class LocalError(MlsError):
    """Our caller broke a rule: a wrong argument, a call out of order."""


class OwnMessage(LocalError):  # noqa: N818 - named for what happened
    """The message is one that this member sent itself, echoed by the delivery service.

    Where it is our Commit, the service has accepted it: `merge` the PendingCommit. Its content is not
    available: RFC 9420 §9.2 has the sender delete the key once it has been used.
    """

    def __init__(self, epoch: int, content_type: int) -> None:
        super().__init__(f"this member's own message came back, epoch {epoch}")
        self.epoch = epoch
        self.content_type = content_type


class RemoteError(MlsError):
    """A peer broke a rule of the protocol; `rule` says which one."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(f"{message} ({rule})")
        self.rule = rule


class DecodeError(RemoteError):
    """Bytes that are not the encoding of the structure that they claim to be."""

    def __init__(self, message: str, *, rule: str = "RFC 9420 §2.1") -> None:
        super().__init__(message, rule=rule)


class InvalidSignature(RemoteError):  # noqa: N818 - named for what happened
    """A signature that its public key does not verify."""


class DecryptionFailed(RemoteError):  # noqa: N818 - named for what happened
    """An authenticated decryption failed: wrong key, or changed bytes."""


class WrongEpoch(RemoteError):  # noqa: N818 - named for what happened
    """A message of another epoch than the group is in; `epoch` is the message's."""

    def __init__(self, epoch: int, current: int) -> None:
        super().__init__(f"message of epoch {epoch}, the group is in {current}", rule="RFC 9420 §6")
        self.epoch = epoch
        self.current = current


class MissingPsk(RemoteError):  # noqa: N818 - named for what happened
    """A pre-shared key that the message names is not among those handed in.

    Nothing has been used up: call again with it. `key` is what `psks` lacks (`PreSharedKeyID.key`).
    """

    def __init__(self, message: str, *, key: bytes, rule: str) -> None:
        super().__init__(message, rule=rule)
        self.key = key


class GoneError(MlsError):
    """A secret that has been consumed, moved to the next epoch or closed."""
