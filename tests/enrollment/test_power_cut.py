"""The power fails between any two steps: the next attempt goes on, and orders at most once."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.enrollment.faults import FaultyCa
from tests.enrollment.power_cut import CUT

Run = Callable[..., int]
MOST_MOMENTS = 60


@pytest.fixture
def key(tmp_path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "device.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


@pytest.fixture
def run(ca: FaultyCa, calm_tokens: Path, tmp_path: Path) -> Iterator[Run]:
    """Runs one job, whose power fails at the given moment: its exit status."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.enrollment.power_cut"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    jobs, statuses = process.stdin, process.stdout

    def run_one(work: str, state: Path, cut: int = 0) -> int:
        job = {
            "work": work,
            "cut": cut,
            "state": str(state),
            "key": str(tmp_path / "device.key"),
            "directory_url": ca.directory_url,
            "ca_file": str(ca.ca_file),
            "tokens": str(calm_tokens),
        }
        jobs.write(json.dumps(job) + "\n")
        return int(statuses.readline())

    with process:
        yield run_one
        jobs.close()
        assert process.wait(20) == 0


def test_an_enrollment_goes_on_after_a_cut_at_any_moment_with_at_most_one_new_order(
    ca: FaultyCa, run: Run, tmp_path: Path, calm_tokens: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    cuts = kept = 0
    for moment in range(1, MOST_MOMENTS):
        state = tmp_path / str(moment)
        status = run("enroll", state, moment)
        if status == 0:
            break
        assert status == CUT
        cuts += 1
        is_kept = (state / "order.json").exists()
        before = len(ca.orders())
        assert run("enroll", state) == 0
        assert len(ca.orders()) - before == (0 if is_kept else 1)
        kept += is_kept
        leaf = x509.load_der_x509_certificate((state / "installed.der").read_bytes())
        assert leaf.public_key() == key.public_key()
        assert not (state / "order.json").exists()
        assert not (state / "answer.json").exists()
        assert list(calm_tokens.iterdir()) == []
    # Directory, nonce, key, account, order, challenge, finalize, certificate, and what is written between.
    assert cuts >= 12
    assert kept >= 6


def test_an_account_keeps_working_after_a_cut_at_any_moment_of_a_rollover(
    ca: FaultyCa, run: Run, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    state = tmp_path / "state"
    assert run("enroll", state) == 0
    account = (state / "account.json").read_bytes()
    cuts = 0
    for moment in range(1, MOST_MOMENTS):
        status = run("roll", state, moment)
        if status == 0:
            break
        assert status == CUT
        cuts += 1
        assert run("roll", state) == 0
        assert (state / "account.json").read_bytes() == account
        assert not (state / "account-next.key").exists()
    assert cuts >= 5
    assert run("enroll", state) == 0
    assert ca.count("/sign-me-up") > 0
