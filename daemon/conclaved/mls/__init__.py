"""MLS (RFC 9420) without I/O: bytes in, bytes and values out.

Start at `Group`, or at the first steps in `docs/mls.md`. Public state is immutable and shared between epochs;
each epoch's secrets have one owner and are gone when they have been consumed. External proposals and
Commits, and ReInit, are refused unless one asks for them.
"""

from conclaved.mls.credential import (
    AcceptAny,
    AuthenticationService,
    BasicCredential,
    Credential,
    CredentialType,
    UnknownCredential,
    X509Credential,
)
from conclaved.mls.crypto import CipherSuite, Signer, SoftwareSigner, supported_suites
from conclaved.mls.epoch import Stage
from conclaved.mls.errors import (
    DecodeError,
    DecryptionFailed,
    GoneError,
    InvalidSignature,
    LocalError,
    MissingPsk,
    MlsError,
    OwnMessage,
    RemoteError,
    WrongEpoch,
)
from conclaved.mls.extension import (
    Extension,
    ExtensionType,
    ExternalSender,
    RequiredCapabilities,
    external_senders_extension,
    find_extension,
)
from conclaved.mls.external_proposal import external_proposal, new_member_proposal
from conclaved.mls.framing import AuthenticatedContent, ContentType, Sender, SenderType, WireFormat
from conclaved.mls.group import Group, PendingCommit, StagedCommit
from conclaved.mls.group_context import GroupContext
from conclaved.mls.key_package import KeyPackage, KeyPackageBundle
from conclaved.mls.leaf_node import Capabilities, LeafChange, LeafNode, LeafNodeSource, Lifetime
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.proposal import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalType,
    ReInit,
    Remove,
    UnknownProposal,
    Update,
)
from conclaved.mls.proposal_list import ResolvedProposal
from conclaved.mls.psk import PreSharedKeyID, resumption_psk_key
from conclaved.mls.staged_commit import Member

__all__ = [
    "AcceptAny",
    "Add",
    "AuthenticatedContent",
    "AuthenticationService",
    "BasicCredential",
    "Capabilities",
    "CipherSuite",
    "Commit",
    "ContentType",
    "Credential",
    "CredentialType",
    "DecodeError",
    "DecryptionFailed",
    "Extension",
    "ExtensionType",
    "ExternalInit",
    "ExternalSender",
    "GoneError",
    "Group",
    "GroupContext",
    "GroupContextExtensions",
    "InvalidSignature",
    "KeyPackage",
    "KeyPackageBundle",
    "LeafChange",
    "LeafNode",
    "LeafNodeSource",
    "Lifetime",
    "LocalError",
    "Member",
    "MissingPsk",
    "MlsError",
    "MlsMessage",
    "OwnMessage",
    "PendingCommit",
    "PreSharedKey",
    "PreSharedKeyID",
    "Proposal",
    "ProposalType",
    "ReInit",
    "RemoteError",
    "Remove",
    "RequiredCapabilities",
    "ResolvedProposal",
    "Sender",
    "SenderType",
    "Signer",
    "SoftwareSigner",
    "Stage",
    "StagedCommit",
    "UnknownCredential",
    "UnknownProposal",
    "Update",
    "WireFormat",
    "WrongEpoch",
    "X509Credential",
    "external_proposal",
    "external_senders_extension",
    "find_extension",
    "new_member_proposal",
    "resumption_psk_key",
    "supported_suites",
]
