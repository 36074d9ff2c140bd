"""The working group's SFrame vectors, every file that is found, every case in it.

`CONCLAVE_VECTORS` names the folder; its default lies beside the project. Nothing is copied
into the project, so that other sets of the same format can be run.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conclaved.sframe.cipher_suite import CipherSuite, make_aead
from conclaved.sframe.context import ReceiverContext, SenderContext
from conclaved.sframe.header import Header, decode
from conclaved.sframe.key_schedule import KEY_LABEL, SALT_LABEL, derive_key_salt

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("CONCLAVE_VECTORS", ROOT / "../shared/vectors")) / "sframe"
Case = dict[str, Any]


def check_header(case: Case) -> None:
    encoded = bytes.fromhex(case["encoded"])
    assert Header(case["kid"], case["ctr"]).encode() == encoded
    assert decode(encoded) == (Header(case["kid"], case["ctr"]), len(encoded))


def check_aead(case: Case) -> None:
    key, nonce, aad, pt, ct = (bytes.fromhex(case[k]) for k in ("key", "nonce", "aad", "pt", "ct"))
    parameters = CipherSuite(case["cipher_suite"]).parameters
    assert key[: parameters.nka].hex() == case["enc_key"]
    assert key[parameters.nka :].hex() == case["auth_key"]
    aead = make_aead(CipherSuite(case["cipher_suite"]), key)
    assert aead.seal(nonce, aad, pt) == ct
    assert aead.open(nonce, aad, ct) == pt


def check_sframe(case: Case) -> None:
    suite, kid, ctr = CipherSuite(case["cipher_suite"]), case["kid"], case["ctr"]
    base_key, metadata, pt, ct = (bytes.fromhex(case[k]) for k in ("base_key", "metadata", "pt", "ct"))
    suffix = kid.to_bytes(8, "big") + suite.to_bytes(2, "big")
    assert (KEY_LABEL + suffix).hex() == case["sframe_key_label"]
    assert (SALT_LABEL + suffix).hex() == case["sframe_salt_label"]
    key, salt = derive_key_salt(suite, kid, base_key)
    assert (key.hex(), salt.hex()) == (case["sframe_key"], case["sframe_salt"])
    header = Header(kid, ctr).encode()
    assert (header + metadata).hex() == case["aad"]
    nonce = (int.from_bytes(salt, "big") ^ ctr).to_bytes(12, "big")
    assert nonce.hex() == case["nonce"]
    assert header + make_aead(suite, key).seal(nonce, header + metadata, pt) == ct
    assert ReceiverContext(suite, kid, base_key).unprotect(ct, metadata) == pt
    sender = SenderContext(suite, kid, base_key)
    sender._next_ctr = ctr
    assert sender.protect(pt, metadata) == ct


CHECKS: dict[str, Callable[[Case], None]] = {
    "header": check_header,
    "aes_ctr_hmac": check_aead,
    "aes_256_ctr_hmac": check_aead,
    "sframe": check_sframe,
    "sframe_aes_256_ctr_hmac": check_sframe,
}


def files() -> list[Any]:
    found = sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []
    if not found:
        reason = f"no SFrame vectors in {FOLDER}: set CONCLAVE_VECTORS"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="absent")]
    return [pytest.param(path, id=path.name) for path in found]


@pytest.mark.parametrize("path", files())
def test_every_case_of_the_file_passes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = passed = skipped = 0
    failures = []
    for kind, cases in json.loads(path.read_text()).items():
        for number, case in enumerate(cases):
            if kind not in CHECKS:
                skipped += 1
                continue
            run += 1
            try:
                CHECKS[kind](case)
                passed += 1
            except AssertionError as error:
                failures.append(f"{kind}[{number}]: {error}")
    with capsys.disabled():
        print(f"\n  sframe/{path.name}: {run} run, {passed} passed, {skipped} skipped ", end="")
    assert not failures, "\n".join(failures)
    assert run, f"nothing in {path} was understood"
