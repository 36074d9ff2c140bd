"""A domain becomes a certificate: ACME (RFC 8555) for a key that never leaves its key store.

`Enrollment.enroll` runs one order to its end and survives power cuts; `AcmeAccount` is the rest of what an
account can do; `http01` and `tls_alpn01` are the helpers that answer on ports 80 and 443. The ACME library is
imported only when a conversation with the CA begins.
"""

from conclave_provisioning.enrollment.account import AcmeAccount
from conclave_provisioning.enrollment.account_key import AccountKeys, AccountSigner, KeyFiles, KeyFromPoint
from conclave_provisioning.enrollment.attempt import Certificate
from conclave_provisioning.enrollment.challenge import (
    Challenge,
    ChallengeSolver,
    DnsProvider,
    HookDnsProvider,
    PersistentRecord,
    TokenFiles,
)
from conclave_provisioning.enrollment.csr import CarriedRequest, Signer, build_csr
from conclave_provisioning.enrollment.domain import check_domain
from conclave_provisioning.enrollment.enrollment import Enrollment
from conclave_provisioning.enrollment.errors import (
    BadDomainError,
    BadNonceError,
    BadResponseError,
    BrokenChainError,
    BusyError,
    CaaError,
    CaTroubleError,
    ChallengeSetupError,
    ChallengeUnreachableError,
    ClockError,
    ConnectionDroppedError,
    DnsUpdateError,
    EnrollmentCancelledError,
    EnrollmentError,
    EnrollmentTimeoutError,
    LocalEnrollmentError,
    NotReadyError,
    NotValidNowError,
    ProfileError,
    RateLimitedError,
    RecordNotSeenError,
    RefusedError,
    RemoteEnrollmentError,
    SettingsError,
    StagingError,
    StateError,
    UnreachableError,
    UntrustedError,
    ValidationFailedError,
    WrongKeyError,
    WrongNameError,
)
from conclave_provisioning.enrollment.order import AccountInfo
from conclave_provisioning.enrollment.progress import Progress, Step
from conclave_provisioning.enrollment.renewal import Plan
from conclave_provisioning.enrollment.renewal_info import RenewalInfo, certificate_id
from conclave_provisioning.enrollment.renewal_watch import RenewalWatch
from conclave_provisioning.enrollment.settings import AcmeSettings, ChallengeKind, DnsUpdateSettings

__all__ = [
    "AccountInfo",
    "AccountKeys",
    "AccountSigner",
    "AcmeAccount",
    "AcmeSettings",
    "BadDomainError",
    "BadNonceError",
    "BadResponseError",
    "BrokenChainError",
    "BusyError",
    "CaTroubleError",
    "CaaError",
    "CarriedRequest",
    "Certificate",
    "Challenge",
    "ChallengeKind",
    "ChallengeSetupError",
    "ChallengeSolver",
    "ChallengeUnreachableError",
    "ClockError",
    "ConnectionDroppedError",
    "DnsProvider",
    "DnsUpdateError",
    "DnsUpdateSettings",
    "Enrollment",
    "EnrollmentCancelledError",
    "EnrollmentError",
    "EnrollmentTimeoutError",
    "HookDnsProvider",
    "KeyFiles",
    "KeyFromPoint",
    "LocalEnrollmentError",
    "NotReadyError",
    "NotValidNowError",
    "PersistentRecord",
    "Plan",
    "ProfileError",
    "Progress",
    "RateLimitedError",
    "RecordNotSeenError",
    "RefusedError",
    "RemoteEnrollmentError",
    "RenewalInfo",
    "RenewalWatch",
    "SettingsError",
    "Signer",
    "StagingError",
    "StateError",
    "Step",
    "TokenFiles",
    "UnreachableError",
    "UntrustedError",
    "ValidationFailedError",
    "WrongKeyError",
    "WrongNameError",
    "build_csr",
    "certificate_id",
    "check_domain",
]
