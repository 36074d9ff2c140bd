#!/usr/bin/env python3
"""What an image is made of, and what of it is known to be vulnerable, as CycloneDX.

    buildroot/sbom.py image BUILDROOT SHOW_INFO OUT    all that Buildroot builds, tools of the build included
    buildroot/sbom.py python LOCK OUT                  the device's packages of PyPI, each file by its hash
    buildroot/sbom.py vex SBOM OUT                     verdicts (vex.json) and Buildroot's, on an SBOM

The first is Buildroot's own generate-cyclonedx, with PyPI's names added, so that scanners know those
packages. It asks the network for the names of licenses; those of the installed `packaging` are given to it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.licenses import _spdx  # type: ignore[attr-defined]

EXTERNAL = Path(__file__).parent
STATES = ("resolved", "exploitable", "in_triage", "false_positive", "not_affected")
"""CycloneDX 1.6, analysis.state; `resolved_with_pedigree` is left to Buildroot, which has the patches."""
JUSTIFICATIONS = (
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
)
_PINNED = re.compile(r"^([\w.-]+)==([^ \\\n]+)[^\n]*\\\n((?: +--hash=sha256:[0-9a-f]{64}.*\n?)+)", re.M)


class SbomError(Exception):
    """Something is not as the formats want it; the message says what."""


def image(buildroot: Path, show_info: Path) -> dict[str, Any]:
    """The SBOM of an image. Raises SbomError with what generate-cyclonedx said."""
    script = buildroot / "utils/generate-cyclonedx"
    version = re.search(r'^CYCLONEDX_VERSION = "([\d.]+)"', script.read_text(), re.M)
    if version is None:
        raise SbomError(f"{script} names no version of CycloneDX")
    with tempfile.TemporaryDirectory() as name:
        names = Path(name) / f"cyclonedx/spdx-{version[1]}.schema.json"
        names.parent.mkdir()
        known = [*_spdx.LICENSES.values(), *_spdx.EXCEPTIONS.values()]
        names.write_text(json.dumps({"enum": [one["id"] for one in known]}))
        words = [
            sys.executable,
            script,
            "-i",
            show_info,
            "-o",
            Path(name) / "sbom",
            "--project-name",
            "conclave",
        ]
        done = subprocess.run(
            [*words, "--project-version", project_version()],
            capture_output=True,
            text=True,
            env={**os.environ, "BR2_DL_DIR": name},
        )
        if done.returncode != 0:
            raise SbomError(done.stderr.strip())
        made: dict[str, Any] = json.loads((Path(name) / "sbom").read_text())
    told = json.loads(show_info.read_text())
    for component in made["components"]:
        found = pypi_name(told.get(component["name"], {}))
        if found is not None:
            component["purl"] = f"pkg:pypi/{found}@{component['version']}"
    return made


def pypi_name(about: dict[str, Any]) -> str | None:
    """The name on PyPI of a package that comes from there, of what show-info tells of it."""
    for download in about.get("downloads", ()):
        if any("files.pythonhosted.org" in uri for uri in download["uris"]):
            name = re.sub(r"-\d.*$", "", str(download["source"]))
            # A tarball with vendored crates has Buildroot's name.
            return re.sub(
                r"[-_.]+", "-", name.removeprefix("python-") if "cargo" in download["source"] else name
            ).lower()
    return None


def python(lock: str) -> dict[str, Any]:
    """The SBOM of those packages of a lock file that the device has. Raises SbomError if there is none."""
    on_device = set(re.findall(r"^([\w.-]+)==", (EXTERNAL / "constraints.txt").read_text(), re.M))
    components = [
        {
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "hashes": [
                {"alg": "SHA-256", "content": value}
                for value in re.findall(r"--hash=sha256:([0-9a-f]{64})", hashes)
            ],
        }
        for name, version, hashes in _PINNED.findall(lock)
        if name in on_device
    ]
    if not components:
        raise SbomError("the lock file pins nothing that the device has")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "component": {
                "bom-ref": "conclave",
                "type": "application",
                "name": "conclave",
                "version": project_version(),
            }
        },
        "components": components,
    }


def vex(verdicts: dict[str, Any], sbom: dict[str, Any]) -> dict[str, Any]:
    """Our verdicts and those that Buildroot's patches give, on the components of an SBOM.

    Raises SbomError where a verdict names no component of it, or does not say why.
    """
    refs = {component["bom-ref"] for component in sbom["components"]}
    for one in verdicts["vulnerabilities"]:
        name, analysis = one.get("id", "?"), one.get("analysis", {})
        if analysis.get("state") not in STATES:
            raise SbomError(f"vex.json: {name}: state is none of {', '.join(STATES)}")
        if analysis["state"] == "not_affected" and analysis.get("justification") not in JUSTIFICATIONS:
            raise SbomError(f"vex.json: {name}: justification is none of {', '.join(JUSTIFICATIONS)}")
        if not analysis.get("detail"):
            raise SbomError(f"vex.json: {name}: detail is to say why, in a sentence")
        unknown = [affected["ref"] for affected in one.get("affects", ()) if affected["ref"] not in refs]
        if unknown or not one.get("affects"):
            raise SbomError(f"vex.json: {name}: affects nothing of this image: {', '.join(unknown)}")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": sbom["specVersion"],
        "metadata": sbom["metadata"],
        "vulnerabilities": [*verdicts["vulnerabilities"], *sbom.get("vulnerabilities", ())],
    }


def project_version() -> str:
    """Of pyproject.toml."""
    found = re.search(r'^version = "(.*)"', (EXTERNAL.parent / "pyproject.toml").read_text(), re.M)
    if found is None:
        raise SbomError("pyproject.toml names no version")
    return found[1]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, names in (("image", ("buildroot", "show_info")), ("python", ("lock",)), ("vex", ("sbom",))):
        one = kinds.add_parser(kind)
        for name in (*names, "out"):
            one.add_argument(name, type=Path)
    options = parser.parse_args()
    try:
        if options.kind == "image":
            made = image(options.buildroot.resolve(), options.show_info)
        elif options.kind == "python":
            made = python(options.lock.read_text())
        else:
            made = vex(json.loads((EXTERNAL / "vex.json").read_text()), json.loads(options.sbom.read_text()))
    except SbomError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    options.out.write_text(json.dumps(made, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
