"""The units of the two helpers: systemd understands them, and what they start is a helper and little else."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from conclave_provisioning.enrollment import http01, tls_alpn01
from conclaved.service.config import AcmeConfig, Config

UNITS = Path(__file__).parents[2] / "systemd" / "system"
HELPERS = {"conclave-http01": http01, "conclave-tls-alpn01": tls_alpn01}
MOST_EXPOSED = 20
"""Tenths, as `systemd-analyze security` counts: 100 is a service that may do anything."""


@pytest.mark.parametrize("name", [f"{helper}.{kind}" for helper in HELPERS for kind in ("path", "service")])
def test_systemd_understands_the_unit(name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(UNITS / name)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if name.partition(".")[0] in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_may_do_little_beside_its_port(helper: str) -> None:
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}"]
    done = subprocess.run([*command, str(UNITS / f"{helper}.service")], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode().splitlines()[-1]


@pytest.mark.parametrize("helper", HELPERS)
def test_the_unit_starts_the_helper_over_the_folder_that_the_daemon_fills(
    helper: str, tmp_path: Path
) -> None:
    text = (UNITS / f"{helper}.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, isolated, dash_m, module, *arguments = shlex.split(line)
    assert (program, isolated, dash_m) == ("/usr/bin/python3", "-I", "-m")
    assert module == HELPERS[helper].__name__
    settings = AcmeConfig("https://ca.example/dir", agree_terms=True).settings(
        Config().token_directory, "", ""
    )
    folder = settings.token_directory if helper == "conclave-http01" else settings.tls_alpn_directory
    watched = (UNITS / f"{helper}.path").read_text()
    assert f"DirectoryNotEmpty={folder}\n" in watched
    # With another folder and port it is what runs here.
    assert arguments[arguments.index("--directory") + 1] == str(folder)
    arguments[arguments.index("--directory") + 1] = str(tmp_path)
    arguments[arguments.index("--listen") + 1] = "127.0.0.1:0"
    with pytest.raises(SystemExit) as caught:
        HELPERS[helper].main(arguments)
    assert caught.value.code == 0
