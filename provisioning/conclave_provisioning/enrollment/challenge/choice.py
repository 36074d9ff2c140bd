"""Which solver the settings ask for."""

from conclave_provisioning.enrollment.challenge.dns01 import Dns01, DnsProvider, HookDnsProvider
from conclave_provisioning.enrollment.challenge.dns_persist01 import DnsPersist01
from conclave_provisioning.enrollment.challenge.dns_update import UpdateDnsProvider
from conclave_provisioning.enrollment.challenge.dns_view import ANSWER_TIMEOUT_S, DnsView
from conclave_provisioning.enrollment.challenge.http01_files import Http01
from conclave_provisioning.enrollment.challenge.solver import ChallengeSolver
from conclave_provisioning.enrollment.challenge.tls_alpn01_files import TlsAlpn01
from conclave_provisioning.enrollment.errors import SettingsError
from conclave_provisioning.enrollment.settings import AcmeSettings, ChallengeKind


def solver_for(settings: AcmeSettings, dns_provider: DnsProvider | None = None) -> ChallengeSolver:
    """The solver of the settings' challenge; ``dns_provider`` takes the place of theirs.

    Raises `SettingsError`.
    """
    match settings.challenge:
        case ChallengeKind.HTTP_01 if settings.token_directory is not None:
            return Http01(settings.token_directory, settings.helper_port)
        case ChallengeKind.TLS_ALPN_01 if settings.tls_alpn_directory is not None:
            return TlsAlpn01(settings.tls_alpn_directory, settings.helper_port)
        case ChallengeKind.DNS_PERSIST_01:
            return DnsPersist01(_view(settings), wait_s=settings.dns_timeout_s)
        case ChallengeKind.DNS_01:
            return Dns01(dns_provider or _provider(settings))
    raise SettingsError(f"{settings.challenge.value} needs a folder for its answers")


def _provider(settings: AcmeSettings) -> DnsProvider:
    if settings.dns_update is not None:
        return UpdateDnsProvider(settings.dns_update, _view(settings), wait_s=settings.dns_timeout_s)
    if settings.dns_hook is not None:
        return HookDnsProvider(settings.dns_hook, settle_s=settings.dns_wait_s)
    raise SettingsError(
        "dns-01 needs somebody who writes the zone", hint="set acme.dns_update, or dns_hook in conclave.toml"
    )


def _view(settings: AcmeSettings) -> DnsView:
    timeout_s = min(ANSWER_TIMEOUT_S, settings.dns_timeout_s)
    return DnsView(settings.resolvers, port=settings.dns_port, timeout_s=timeout_s)
