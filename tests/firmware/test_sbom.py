"""What an image is made of, and the verdicts on it."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.firmware.buildroot_tree import DEFCONFIGS, EXTERNAL, BuildrootTree

SBOM: dict[str, Any] = {
    "specVersion": "1.6",
    "metadata": {},
    "components": [{"bom-ref": "zlib"}],
    "vulnerabilities": [{"id": "CVE-2022-37434"}],
}


def verdict(**changed: Any) -> dict[str, Any]:
    """A verdict that is as it should be, but for `changed` of its analysis."""
    analysis = {
        "state": "not_affected",
        "justification": "code_not_reachable",
        "detail": "gzopen is never called.",
    }
    return {
        "vulnerabilities": [
            {"id": "CVE-2026-0001", "affects": [{"ref": "zlib"}], "analysis": {**analysis, **changed}}
        ]
    }


def test_the_lock_file_makes_components_with_hashes(sbom: ModuleType) -> None:
    made = sbom.python((EXTERNAL / "requirements.lock").read_text())
    found = {one["name"]: one for one in made["components"]}
    assert found["cryptography"]["purl"] == "pkg:pypi/cryptography@48.0.0"
    assert all(len(one["content"]) == 64 for one in found["cryptography"]["hashes"])
    assert "pytest" not in found


def test_an_empty_lock_file_is_no_sbom(sbom: ModuleType) -> None:
    with pytest.raises(sbom.SbomError, match="pins nothing"):
        sbom.python("")


def test_our_verdicts_come_before_buildroots(sbom: ModuleType) -> None:
    made = sbom.vex(verdict(), SBOM)
    assert [one["id"] for one in made["vulnerabilities"]] == ["CVE-2026-0001", "CVE-2022-37434"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "fine"}, "state is none of"),
        ({"justification": None}, "justification is none of"),
        ({"detail": ""}, "detail is to say why"),
    ],
)
def test_a_verdict_without_a_reason_is_refused(sbom: ModuleType, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(sbom.SbomError, match=said):
        sbom.vex(verdict(**changed), SBOM)


def test_a_verdict_on_what_the_image_has_not_is_refused(sbom: ModuleType) -> None:
    verdicts = verdict()
    verdicts["vulnerabilities"][0]["affects"] = [{"ref": "log4j"}]
    with pytest.raises(sbom.SbomError, match="affects nothing of this image: log4j"):
        sbom.vex(verdicts, SBOM)


def test_the_image_is_told_with_every_package(
    buildroot: BuildrootTree, sbom: ModuleType, tmp_path: Path
) -> None:
    told = buildroot.packages(DEFCONFIGS[0])
    (tmp_path / "info.json").write_text(json.dumps(told))
    made = sbom.image(buildroot.folder, tmp_path / "info.json")
    refs = {one["bom-ref"]: one for one in made["components"]}
    assert {"conclave", "ffmpeg8", "linux", "python-av"} <= refs.keys()
    assert refs["python-av"]["purl"] == "pkg:pypi/av@18.1.0"
    assert made["metadata"]["component"]["name"] == "conclave"
    # The repository's own verdicts are on this image.
    sbom.vex(json.loads((EXTERNAL / "vex.json").read_text()), made)
