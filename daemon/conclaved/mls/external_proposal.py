"""Proposals from outside the group: by an external sender, or by who wants to be added (RFC 9420 §12.1.8).

A group takes them only from `unprotect` with `allow_outsiders`, and a member commits them by reference. They
are always PublicMessages, since an outsider has none of the group's keys (§6.2).
"""

from conclaved.mls.crypto import CipherSuite, Crypto, Signer, crypto_for, suite_from_wire
from conclaved.mls.errors import LocalError
from conclaved.mls.framing import (
    AuthenticatedContent,
    FramedContent,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from conclaved.mls.key_package import KeyPackage
from conclaved.mls.message_protection import sign_content
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import Add, Proposal
from conclaved.mls.validation import may_propose


def _message(
    crypto: Crypto, group_id: bytes, epoch: int, sender: Sender, signer: Signer, proposal: Proposal
) -> bytes:
    if not may_propose(sender.type, proposal):
        raise LocalError("an outsider may not propose that")
    framed = FramedContent(group_id, epoch, sender, b"", proposal)
    # The context is not part of what an outsider signs (§6.1).
    signature = sign_content(crypto, signer, WireFormat.PUBLIC_MESSAGE, framed, b"")
    content = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, signature, None)
    return MlsMessage(PublicMessage(content, None)).encode()


def external_proposal(
    suite: CipherSuite, group_id: bytes, epoch: int, sender_index: int, signer: Signer, proposal: Proposal
) -> bytes:
    """A proposal by the external sender at that place of the group's `external_senders` extension.

    An encoded MLSMessage, good for that epoch (§12.1.8.1). Add, Remove, PreSharedKey, ReInit and
    GroupContextExtensions only: LocalError for others.
    """
    sender = Sender(SenderType.EXTERNAL, sender_index)
    return _message(crypto_for(suite), group_id, epoch, sender, signer, proposal)


def new_member_proposal(group_id: bytes, epoch: int, key_package: KeyPackage, signer: Signer) -> bytes:
    """A client's proposal to be added itself (§12.1.8): an encoded MLSMessage, good for that epoch.

    LocalError if the signer is not the KeyPackage's.
    """
    if signer.public_key != key_package.leaf_node.signature_key:
        raise LocalError("the signer is not the one of the KeyPackage")
    crypto = crypto_for(suite_from_wire(key_package.cipher_suite))
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    return _message(crypto, group_id, epoch, sender, signer, Add(key_package))
