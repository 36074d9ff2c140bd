"""A domain becomes a certificate: ACME (RFC 8555) for a key that never leaves its key store.

`Enrollment.enroll` runs one order to its end and survives power cuts; `http01` is the helper that answers on
port 80. The ACME library is imported only when an enrollment begins.
"""

from conclave_provisioning.enrollment.csr import Signer, build_csr
from conclave_provisioning.enrollment.dns01 import DnsProvider, HookDnsProvider
from conclave_provisioning.enrollment.domain import check_domain
from conclave_provisioning.enrollment.enrollment import Certificate, Enrollment, Progress, Step
from conclave_provisioning.enrollment.errors import (
    BadDomainError,
    BadResponseError,
    BusyError,
    ChallengeSetupError,
    EnrollmentCancelledError,
    EnrollmentError,
    EnrollmentTimeoutError,
    LocalEnrollmentError,
    RateLimitedError,
    RefusedError,
    RemoteEnrollmentError,
    SettingsError,
    StateError,
    UnreachableError,
    ValidationFailedError,
)
from conclave_provisioning.enrollment.settings import AcmeSettings, ChallengeKind
from conclave_provisioning.enrollment.token_files import TokenFiles

__all__ = [
    "AcmeSettings",
    "BadDomainError",
    "BadResponseError",
    "BusyError",
    "Certificate",
    "ChallengeKind",
    "ChallengeSetupError",
    "DnsProvider",
    "Enrollment",
    "EnrollmentCancelledError",
    "EnrollmentError",
    "EnrollmentTimeoutError",
    "HookDnsProvider",
    "LocalEnrollmentError",
    "Progress",
    "RateLimitedError",
    "RefusedError",
    "RemoteEnrollmentError",
    "SettingsError",
    "Signer",
    "StateError",
    "Step",
    "TokenFiles",
    "UnreachableError",
    "ValidationFailedError",
    "build_csr",
    "check_domain",
]
