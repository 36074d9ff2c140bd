"""A challenge is not begun before the helper that answers it listens: systemd takes a moment to start it."""

import contextlib
from pathlib import Path

import pytest

from conclave_provisioning.enrollment import (
    ChallengeKind,
    ChallengeSetupError,
    Enrollment,
    Progress,
    Step,
    http01,
    tls_alpn01,
)
from conclave_provisioning.enrollment.challenge import helper_port
from conclaved.service.config import AcmeConfig, Config
from tests.enrollment.conftest import serving, settings_for
from tests.enrollment.signers import KeyInMemory
from tests.pebble import Pebble

Server = http01.ChallengeServer | tls_alpn01.ChallengeServer
HELPERS: dict[ChallengeKind, tuple[type[Server], str, str, int]] = {
    ChallengeKind.HTTP_01: (http01.ChallengeServer, "http_port", "token_directory", 80),
    ChallengeKind.TLS_ALPN_01: (tls_alpn01.ChallengeServer, "tls_port", "tls_alpn_directory", 443),
}
each_helper = pytest.mark.parametrize("challenge", list(HELPERS))


@each_helper
async def test_a_helper_that_comes_after_the_answer_is_waited_for(
    tmp_path: Path, challenge: ChallengeKind
) -> None:
    make, port_name, directory_name, _ = HELPERS[challenge]
    answers = tmp_path / "answers"
    answers.mkdir()
    async with Pebble(tmp_path / "pebble", nonce_reject=0) as pebble:
        port = getattr(pebble, port_name)
        changes = {"challenge": challenge, "helper_port": port, directory_name: answers}
        with contextlib.ExitStack() as helper:

            def start_once_it_is_missed(told: Progress) -> None:
                if told.step is Step.CHALLENGE and str(port) in told.text:
                    helper.enter_context(serving(make(("127.0.0.1", port), answers)))

            enrollment = Enrollment(settings_for(pebble, answers, **changes), tmp_path / "state")
            certificate = await enrollment.enroll(
                "room.example.com", KeyInMemory(), progress=start_once_it_is_missed
            )
    assert certificate.chain


async def test_a_helper_that_never_comes_is_named_and_the_ca_is_not_asked_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper_port, "PATIENCE_S", 0.0)
    async with Pebble(tmp_path / "pebble", nonce_reject=0) as pebble:
        settings = settings_for(pebble, tmp_path / "answers", helper_port=pebble.http_port)
        with pytest.raises(ChallengeSetupError) as caught:
            await Enrollment(settings, tmp_path / "state").enroll("room.example.com", KeyInMemory())
    assert str(pebble.http_port) in str(caught.value)
    assert "conclave-http01.service" in caught.value.hint


@each_helper
def test_on_a_device_the_helpers_of_its_units_are_waited_for(challenge: ChallengeKind) -> None:
    acme = AcmeConfig("https://ca.example/dir", agree_terms=True)
    settings = acme.settings(Config().token_directory, "", challenge.value)
    assert settings.helper_port == HELPERS[challenge][3]


def test_where_no_unit_looks_no_helper_is_waited_for(tmp_path: Path) -> None:
    acme = AcmeConfig("https://ca.example/dir", agree_terms=True)
    assert acme.settings(tmp_path / "acme-challenge", "", "").helper_port is None
