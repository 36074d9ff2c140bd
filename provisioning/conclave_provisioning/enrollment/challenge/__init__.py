"""How this device shows a CA that a domain is its own: one file a kind of challenge, one seam for all.

A `ChallengeSolver` puts an answer where the CA looks for it, says what is still missing, and takes the answer
away again. `solver_for` picks the one that the settings name.
"""

from conclave_provisioning.enrollment.challenge.choice import solver_for
from conclave_provisioning.enrollment.challenge.dns01 import Dns01, DnsProvider, HookDnsProvider
from conclave_provisioning.enrollment.challenge.dns_persist01 import DnsPersist01, PersistentRecord
from conclave_provisioning.enrollment.challenge.dns_update import UpdateDnsProvider
from conclave_provisioning.enrollment.challenge.dns_view import DnsView
from conclave_provisioning.enrollment.challenge.http01_files import Http01
from conclave_provisioning.enrollment.challenge.solver import Challenge, ChallengeSolver
from conclave_provisioning.enrollment.challenge.tls_alpn01_files import TlsAlpn01
from conclave_provisioning.enrollment.challenge.token_files import TokenFiles

__all__ = [
    "Challenge",
    "ChallengeSolver",
    "Dns01",
    "DnsPersist01",
    "DnsProvider",
    "DnsView",
    "HookDnsProvider",
    "Http01",
    "PersistentRecord",
    "TlsAlpn01",
    "TokenFiles",
    "UpdateDnsProvider",
    "solver_for",
]
