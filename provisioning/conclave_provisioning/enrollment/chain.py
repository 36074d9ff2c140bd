"""What a CA hands over, checked before anybody installs it: right key, right name, signed up, valid now.

Whether it leads to a root that is trusted is not decided here: that belongs to whoever trusts.
"""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    BrokenChainError,
    NotValidNowError,
    WrongKeyError,
    WrongNameError,
    printable,
)

_CLOCK_SLACK_S = 600.0
_ASK_CA = "ask whoever runs the CA; the certificate in force stays"


def check_chain(
    chain: Sequence[bytes], *, domain: str, key: ec.EllipticCurvePublicKey, now: float
) -> x509.Certificate:
    """The leaf of a chain that is for ``domain`` and ``key`` alone; ``now`` is Unix seconds.

    Raises a `BadResponseError` of its own class for each way in which it is not.
    """
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        leaf = certificates[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        is_ours = leaf.public_key() == key
    except (
        ValueError,
        IndexError,
        UnsupportedAlgorithm,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
    ) as error:
        raise BadResponseError("the CA's certificate cannot be read", hint=_ASK_CA) from error
    if not is_ours:
        raise WrongKeyError("the CA's certificate is for another key than this device's", hint=_ASK_CA)
    if found != [domain] or len(list(names)) != 1:
        shown = printable(", ".join(found)) or "no name"
        raise WrongNameError(
            f"the CA's certificate is for another domain: {shown} instead of {domain}", hint=_ASK_CA
        )
    for lower, upper in itertools.pairwise(certificates):
        _check_link(lower, upper)
    for certificate in certificates:
        _check_validity(certificate, now)
    return leaf


def top_issuer(chain: Sequence[bytes]) -> str:
    """The common name of the root that a chain leads to; empty if it has none. Raises `BadResponseError`."""
    try:
        names = x509.load_der_x509_certificate(chain[-1]).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, IndexError) as error:
        raise BadResponseError("the CA's certificate cannot be read", hint=_ASK_CA) from error
    return str(names[0].value) if names else ""


def _check_link(lower: x509.Certificate, upper: x509.Certificate) -> None:
    try:
        lower.verify_directly_issued_by(upper)
        constraints = upper.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_authority = constraints.ca
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise _broken(lower) from error
    if not is_authority:
        raise _broken(lower)


def _broken(lower: x509.Certificate) -> BrokenChainError:
    issuer = printable(lower.issuer.rfc4514_string())
    return BrokenChainError(f"the CA's chain is broken: it lacks the signature of {issuer}", hint=_ASK_CA)


def _check_validity(certificate: x509.Certificate, now: float) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    moment = datetime.fromtimestamp(now, UTC)
    if end.timestamp() <= now:
        state = f"ended at {end:%Y-%m-%d %H:%M:%S} UTC"
    elif begin.timestamp() > now + _CLOCK_SLACK_S:
        state = f"begins at {begin:%Y-%m-%d %H:%M:%S} UTC"
    else:
        return
    raise NotValidNowError(
        f"the life of the CA's certificate {state}, and it is {moment:%Y-%m-%d %H:%M:%S} UTC",
        hint="check the device's clock; if it is right, ask whoever runs the CA",
    )
