"""MemoryDenyWriteExecute= holds in the daemon: nothing that it loads needs memory to write to and run.

The kernel has a switch of its own for it, PR_SET_MDWE (Linux 6.3, include/uapi/linux/prctl.h), which a
process sets on itself; systemd's is a filter of system calls, and tests/image runs the daemon under that.
"""

import subprocess
import sys

import pytest

_DENY = """
import ctypes, mmap, sys
if ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0):
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    sys.exit("memory that is written to and run was given")
"""

WORK = {
    "sframe and MLS": """
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
ec.generate_private_key(ec.SECP256R1()).sign(b"", ec.ECDSA(__import__(
    "cryptography.hazmat.primitives.hashes").hazmat.primitives.hashes.SHA256()))
AESGCM(bytes(16)).encrypt(bytes(12), b"x", b"")
""",
    "SRTP, with a handler of events": """
from pylibsrtp import Policy, Session
policy = Policy(key=bytes(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND)
Session(policy).protect(bytes.fromhex("8060000000000000000000010203"))
""",
    "an encoder and a decoder": """
import av
from fractions import Fraction
coder = av.CodecContext.create("libx264", "w")
coder.width, coder.height, coder.pix_fmt, coder.time_base = 320, 180, "yuv420p", Fraction(1, 30)
packets = [*coder.encode(av.VideoFrame(320, 180, "yuv420p")), *coder.encode(None)]
reader = av.CodecContext.create("h264", "r")
assert [*(p for packet in packets for p in reader.decode(packet)), *reader.decode(None)]
""",
    "the libraries of a TPM and of a token": """
import pkcs11
from conclaved.identity.key_backends import tpm2_library
tpm2_library.load()
""",
    "the panel": """
from PIL import Image, ImageDraw
ImageDraw.Draw(Image.new("RGB", (64, 64))).text((0, 0), "1234")
""",
    "the daemon": "import conclaved.service.main",
}


@pytest.mark.parametrize("work", WORK)
def test_it_works_without_memory_to_write_and_run(work: str) -> None:
    program = [sys.executable, "-c", _DENY + WORK[work]]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE")
    assert (done.returncode, done.stderr) == (0, "")
