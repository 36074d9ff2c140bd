"""The identity's key lives in the TPM: the disk alone is worth nothing, and neither is the TPM of another."""

import base64
import json
import mmap
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity import KeyStore, LostKeyError, SealedBackend
from conclaved.identity.anchors import fingerprint_of_spki
from conclaved.identity.key_backends.tpm2 import Tpm2Backend
from tests.image.admin import AdminError
from tests.image.carried_in import certify, trust
from tests.image.machine import Machine
from tests.image.stolen_disk import raw, steal, take
from tests.pki import TestAuthority
from tests.swtpm import Swtpm

DOMAIN = "room.example.com"
SCALAR = re.compile(rb"\x02\x01\x01\x04\x20(.{32})", re.DOTALL)
"""The private part in what RFC 5915 §3 writes, alone or within PKCS #8: version 1, and 32 bytes."""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OFFERED = "ls /run/credstore.encrypted"
GONE = "this device's key is gone"


async def enrolled(device: Machine) -> ec.EllipticCurvePublicKey:
    authority = TestAuthority("Tests")
    await trust(device.admin, authority)
    return await certify(device.admin, DOMAIN, authority)


def private_keys(content: bytes | mmap.mmap) -> Iterator[bytes]:
    """The points of all P-256 keys that lie in the open."""
    for found in SCALAR.finditer(content):
        scalar = int.from_bytes(found[1], "big")
        if 0 < scalar < P256_ORDER:
            yield point(ec.derive_private_key(scalar, ec.SECP256R1()).public_key())


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.fixture
async def theft(device: Machine, tmp_path: Path) -> tuple[ec.EllipticCurvePublicKey, Path, Path]:
    """A room's key, the partition of its disk, and a copy of its TPM's state for comparison."""
    key = await enrolled(device)
    await device.root.run("sync")
    await device.kill()
    device.tpm.save(tmp_path / "same")
    return key, steal(device.disk, tmp_path), tmp_path / "same"


async def test_the_key_is_made_in_the_tpm(device: Machine) -> None:
    key = await enrolled(device)
    shown = (await device.admin.ctl("identity", "show"))["identity"]
    assert (shown["state"], shown["key_protection"]) == ("enrolled", "tpm2")
    held = await device.root.run(
        "base64 -w 0 /var/lib/conclave/identity/$(cat /var/lib/conclave/identity/current).key"
    )
    assert point(key) not in private_keys(base64.b64decode(held))


async def test_a_stolen_disk_does_not_yield_the_key(
    theft: tuple[ec.EllipticCurvePublicKey, Path, Path], tmp_path: Path
) -> None:
    key, stolen, same = theft
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with raw(stolen) as content:
        # Whatever lies there is found: the name of the key's file is.
        assert content.find(fingerprint_of_spki(spki).encode()) >= 0
        assert point(key) not in set(private_keys(content))
    identity = take(stolen, "/lib/conclave/identity", tmp_path / "taken")
    with Swtpm(tmp_path / "other") as other:
        keys = KeyStore(identity, SealedBackend(None), Tpm2Backend(other.tcti))
        with pytest.raises(LostKeyError):
            keys.signer()
        keys.close()
    # With the device's own TPM all of it works: so what failed above failed for want of it.
    shutil.copytree(same, tmp_path / "again")
    with Swtpm(tmp_path / "again") as its_own:
        keys = KeyStore(identity, SealedBackend(None), Tpm2Backend(its_own.tcti))
        key.verify(keys.signer().sign(b"proof"), b"proof", ec.ECDSA(hashes.SHA256()))
        keys.close()


async def test_a_device_with_another_tpm_says_so_and_meets_nobody_until_it_has_its_own(
    device: Machine, tmp_path: Path
) -> None:
    await enrolled(device)
    await device.root.run("sync")
    await device.kill()
    device.tpm.save(tmp_path / "own")
    device.tpm.exchange()
    await device.start()
    await device.until_ready()
    shown = (await device.admin.ctl("identity", "show"))["identity"]
    assert (shown["state"], shown["domain"]) == ("none", "")
    assert GONE in shown["error"]
    told = [problem["text"] for problem in (await device.admin.ctl("status"))["problems"]]
    assert any("TPM" in text for text in told), told
    with pytest.raises(AdminError, match=GONE):
        await device.admin.ctl("meeting", "create", "--title", "Weekly", "--conference", "wss://192.0.2.10")
    # All of the disk is there, systemd's own secret too, and this is not enough.
    assert "cannot open its wrapping key" in await device.journal("conclave-wrapping-key")
    assert (await device.root.try_run(OFFERED)).out == ""
    assert await device.root.run("systemctl --failed --no-legend") == ""
    picture = await device.screendump(tmp_path / "panel.png")
    assert "TPM" in read(picture)
    await device.kill()
    device.tpm.restore(tmp_path / "own")
    await device.start()
    await device.until_ready()
    shown = (await device.admin.ctl("identity", "show"))["identity"]
    assert (shown["state"], shown["domain"], shown["key_protection"]) == ("enrolled", DOMAIN, "tpm2")
    checks = {
        check["name"]: check for check in json.loads((await device.admin.run("doctor --json")).out)["checks"]
    }
    assert checks["key"]["state"] == "ok", checks["key"]
    assert await device.root.run(OFFERED) == "wrapping-key\n"


def read(picture: Path) -> str:
    """What a reader of printed text finds on a picture."""
    done = subprocess.run(
        ["tesseract", picture, "-", "--psm", "6", "--dpi", "150"], capture_output=True, text=True, check=True
    )
    return done.stdout
