"""What an update is: a bundle of RAUC's with a slot's kernel and root, signed by who makes the device.

RAUC verifies the signature and the board's name before it writes anything, and every block as it reads it.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.building.cache import made
from tests.building.programs import need, run
from tests.image.build.boot_chain import BOARD
from tests.image.build.debian import SETUP

SIGNER_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Maker:
    """Who signs updates: files of a folder. A device maker's key lies in a token."""

    authority: Path
    """The CA's certificate: the device's keyring."""
    certificate: Path
    key: Path


def maker(folder: Path) -> Maker:
    """The CA and the signer in a folder that `make_maker` made."""
    return Maker(folder / "ca.crt", folder / "signer.crt", folder / "signer.key")


def development_maker(cache: Path) -> Maker:
    """One of the user's cache, made once. Raises BuildError."""
    return maker(made(cache / "maker-development", make_maker, keep=1))


def make_maker(folder: Path, name: str = "Conclave development updates") -> None:
    """A CA for signing code, and a signer that it vouches for. Raises BuildError."""
    config = folder / "openssl.cnf"
    by_ca: list[str | Path] = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"]
    for kind, issuer in (("ca", []), ("signer", by_ca)):
        config.write_text(SIGNER_CONFIG.format(name=f"{name}, {kind}"))
        words: list[str | Path] = [
            *["openssl", "req", "-new", "-newkey", "rsa:3072", "-nodes", "-x509", "-sha256"]
        ]
        words += ["-sha256", "-days", "7300", "-config", config, "-extensions", kind]
        run([*words, "-keyout", folder / f"{kind}.key", "-out", folder / f"{kind}.crt", *issuer])
        (folder / f"{kind}.key").chmod(0o600)
    config.unlink()


def write_bundle(target: Path, *, fit: Path, root: Path, version: str, board: str, signed_by: Maker) -> None:
    """Kernel and root of a slot as an update for devices of a board. Raises BuildError."""
    need("rauc", "mksquashfs", hint=SETUP)
    signer: list[str | Path] = [signed_by.certificate, signed_by.key, signed_by.authority]
    run([BOARD / "common/bundle", target, board, version, fit, root, *signer])
