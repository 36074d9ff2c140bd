"""Path validation from a leaf up to a set of anchors (RFC 5280 §6), by `cryptography.x509.verification`.

The library's own client policy wants clientAuth, which public CAs no longer put in; so the policies here
demand one purpose, whichever it is, of the leaf and of every intermediate that states any.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from conclaved.identity.leaf import READ_ERRORS, Leaf

MAX_INTERMEDIATES = 4
"""The most authorities between leaf and anchor; public chains have one or two."""


def find_path(
    leaf: Leaf, intermediates: Sequence[x509.Certificate], anchors: Store, *, now: int
) -> tuple[x509.Certificate, ...] | None:
    """A valid path, leaf first and anchor last, at the Unix time ``now``; None if there is none."""
    for purpose in leaf.purposes:
        ca_policy, leaf_policy = _policies(purpose)
        verifier = (
            PolicyBuilder()
            .store(anchors)
            .time(datetime.fromtimestamp(now, UTC))
            .max_chain_depth(MAX_INTERMEDIATES)
            .extension_policies(ca_policy=ca_policy, ee_policy=leaf_policy)
            .build_client_verifier()
        )
        try:
            return tuple(verifier.verify(leaf.certificate, list(intermediates)).chain)
        except (VerificationError, *READ_ERRORS):
            continue
    return None


def _policies(purpose: x509.ObjectIdentifier) -> tuple[ExtensionPolicy, ExtensionPolicy]:
    def check_authority(
        policy: Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
    ) -> None:
        if usage is not None and not {purpose, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
            raise ValueError("an authority on the path is limited to other purposes")

    def check_leaf(policy: Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
        if purpose not in set(usage):
            raise ValueError("the leaf is for other purposes")

    return (
        ExtensionPolicy.webpki_defaults_ca().may_be_present(
            x509.ExtendedKeyUsage, Criticality.AGNOSTIC, check_authority
        ),
        ExtensionPolicy.webpki_defaults_ee().require_present(
            x509.ExtendedKeyUsage, Criticality.AGNOSTIC, check_leaf
        ),
    )
