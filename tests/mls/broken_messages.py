"""Messages that break one rule each, on the way through `unprotect` (RFC 9420 §6, §9.1, §12.4.2)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from conclaved.mls import (
    AuthenticatedContent,
    ContentType,
    Group,
    MlsMessage,
    ReInit,
    Remove,
    Sender,
    SenderType,
    SoftwareSigner,
    WireFormat,
    group,
    message_protection,
)
from conclaved.mls.crypto import crypto_for
from conclaved.mls.framing import FramedContent, PrivateMessage, PublicMessage
from conclaved.mls.message_protection import sign_content
from conclaved.mls.secret_tree import MAX_SKIP
from tests.mls.cast import SUITE, Circle

CRYPTO = crypto_for(SUITE)
Message = Callable[[Circle], bytes]
PUBLIC = WireFormat.PUBLIC_MESSAGE


def public(change: Callable[[PublicMessage], PublicMessage]) -> Message:
    """Mallory's Remove of carol as a PublicMessage, changed on the way."""

    def message(circle: Circle) -> bytes:
        mallory = circle["mallory"]
        proposal = mallory.sign_proposal(Remove(2), wire_format=PUBLIC)
        content = MlsMessage.decode(mallory.protect_public(proposal)).content
        assert isinstance(content, PublicMessage)
        return MlsMessage(change(content)).encode()

    return message


def framed(circle: Circle, **changes: object) -> FramedContent:
    mallory = circle["mallory"]
    sender = Sender(SenderType.MEMBER, 0)
    content = FramedContent(mallory.group_id, mallory.epoch, sender, b"", Remove(2))
    return replace(content, **changes)  # type: ignore[arg-type]


def signed(circle: Circle, content: FramedContent, signer: SoftwareSigner | None = None) -> bytes:
    """Content with a right membership tag, as mallory has the key for it."""
    mallory = circle["mallory"]
    context = mallory.group_context.encode()
    signer = signer or circle.people["mallory"].signer
    tag = CRYPTO.hash(b"") if content.content_type is ContentType.COMMIT else None
    signature = sign_content(CRYPTO, signer, PUBLIC, content, context)
    message = AuthenticatedContent(PUBLIC, content, signature, tag)
    if content.sender.type is not SenderType.MEMBER or content.content_type is ContentType.APPLICATION:
        membership = b"" if content.sender.type is SenderType.MEMBER else None
        return MlsMessage(PublicMessage(message, membership)).encode()
    key = mallory._secrets.keys.get("membership_key")
    return MlsMessage(message_protection.protect_public(CRYPTO, key, message, context)).encode()


def private(**changes: object) -> Message:
    """Mallory's words as a PrivateMessage, changed before they are sealed."""

    def message(circle: Circle) -> bytes:
        mallory = circle["mallory"]
        with pytest.MonkeyPatch.context() as patch:
            for name, change in changes.items():
                patch.setattr(message_protection, name, change)
            return mallory.protect(mallory.sign_application(b"words"))

    return message


def without_zeros(circle: Circle) -> bytes:
    """Padding that says something."""
    mallory = circle["mallory"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            message_protection,
            "bytes",
            lambda n: b"\x01" * n if isinstance(n, int) else bytes(n),
            raising=False,
        )
        return mallory.protect(mallory.sign_application(b"words"), padding=8)


def far_ahead(circle: Circle) -> bytes:
    mallory = circle["mallory"]
    real = group.__dict__["protect_private"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            group,
            "protect_private",
            lambda crypto, secret, key, *rest: real(
                crypto, secret, replace(key, generation=key.generation + MAX_SKIP + 100), *rest
            ),
        )
        return mallory.protect(mallory.sign_application(b"words"))


def from_leaf(index: int) -> Message:
    def message(circle: Circle) -> bytes:
        real = message_protection.SenderData
        return private(SenderData=lambda _leaf, generation, guard: real(index, generation, guard))(circle)

    return message


def handshake_in_bobs_name(circle: Circle) -> bytes:
    """A Commit that says it is from who receives it, and which it never sent."""
    mallory, real = circle["mallory"], message_protection.SenderData
    pending = mallory.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            message_protection, "SenderData", lambda _, generation, guard: real(1, generation, guard)
        )
        message = mallory.protect(pending.content)
    pending.discard()
    return message


def changed(at: int) -> Message:
    def message(circle: Circle) -> bytes:
        data = bytearray(private()(circle))
        data[at] ^= 1
        return bytes(data)

    return message


def other_epoch(circle: Circle) -> bytes:
    content = MlsMessage.decode(private()(circle)).content
    assert isinstance(content, PrivateMessage)
    return MlsMessage(replace(content, epoch=content.epoch + 1)).encode()


def other_group(circle: Circle) -> bytes:
    content = MlsMessage.decode(private()(circle)).content
    assert isinstance(content, PrivateMessage)
    return MlsMessage(replace(content, group_id=b"another")).encode()


def signed_by_carol(circle: Circle) -> bytes:
    return signed(circle, framed(circle), circle.people["carol"].signer)


def after_the_end(circle: Circle) -> bytes:
    """Mallory goes on in a group that a ReInit has ended."""
    circle.commit("carol", ReInit(b"new", 1, SUITE, ()), allow_reinit=True)
    mallory = circle["mallory"]
    mallory._state = replace(mallory._state, reinit=None)
    return private()(circle)


ROWS: dict[str, tuple[Message, str]] = {
    "another group": (other_group, "§12.4.2"),
    "another epoch": (other_epoch, "§6"),
    "no membership tag that is right": (
        public(lambda message: replace(message, membership_tag=bytes(32))),
        "§6.2",
    ),
    "no signature of the sender": (signed_by_carol, "§5.1.2"),
    "a sender where nobody is": (
        lambda circle: signed(circle, framed(circle, sender=Sender(SenderType.MEMBER, 3))),
        "§6.1",
    ),
    "an external sender that the group does not have": (
        lambda circle: signed(circle, framed(circle, sender=Sender(SenderType.EXTERNAL, 0))),
        "§6.1",
    ),
    "a newcomer that proposes a removal": (
        lambda circle: signed(circle, framed(circle, sender=Sender(SenderType.NEW_MEMBER_PROPOSAL))),
        "§6.1",
    ),
    "a newcomer that commits no Commit": (
        lambda circle: signed(circle, framed(circle, sender=Sender(SenderType.NEW_MEMBER_COMMIT))),
        "§6.1",
    ),
    "application data in the open": (lambda circle: signed(circle, framed(circle, body=b"words")), "§6"),
    "a ciphertext that was changed": (changed(-1), "§6.3"),
    "a sender of a PrivateMessage where nobody is": (from_leaf(3), "§6.3.2"),
    "padding that is not zero": (without_zeros, "§6.3.1"),
    "a generation too far ahead": (far_ahead, "§9.1"),
    "a Commit in our own name": (handshake_in_bobs_name, "§6.1"),
    "a KeyPackage": (
        lambda circle: MlsMessage(circle.people["carol"].bundle().key_package).encode(),
        "§6",
    ),
    "another version of the protocol": (lambda circle: b"\x00\x02" + private()(circle)[2:], "§6"),
    "a byte after the end": (lambda circle: private()(circle) + b"x", "§2.1"),
    "words in a group that has ended": (after_the_end, "§12.4.2"),
    "a Commit in a group that has ended": (after_the_end, "§12.4.2"),
}


def attempt(name: str) -> tuple[str, Group, Callable[[], object]]:
    """A row's section, the group that must not change, and the call that is refused."""
    message, rule = ROWS[name]
    circle = Circle("mallory", "bob", "carol")
    data, bob = message(circle), circle["bob"]
    if bob.reinit is not None and "Commit" in name:
        commit = circle["mallory"].commit().content
        return f"RFC 9420 {rule}", bob, partial(bob.stage, commit)
    # So that bob's ratchet for mallory is there: to derive it uses nothing up.
    bob._secrets.secret_tree.ratchet(0, is_handshake=True)
    return f"RFC 9420 {rule}", bob, partial(bob.unprotect, data, allow_outsiders=True)
