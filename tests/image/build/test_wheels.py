"""Which of PyPI's packages go into the image, and by what they are checked."""

from pathlib import Path

import pytest

from tests.building.programs import BuildError
from tests.image.build.image import ROOT
from tests.image.build.wheels import locked, needed

LOCK = """\
av==18.1.0 ; python_full_version < '3.14' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
av==19.0.0 ; python_full_version >= '3.14' \\
    --hash=sha256:cc
click==8.2.1 \\
    --hash=sha256:dd
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:ee
"""


def test_the_lock_files_line_for_the_images_python_is_taken() -> None:
    lines = locked({"av"}, LOCK)
    assert lines.splitlines() == ["av==18.1.0 \\", "    --hash=sha256:aa \\", "    --hash=sha256:bb"]


def test_a_package_that_is_not_locked_for_the_image_is_named() -> None:
    with pytest.raises(BuildError, match="lacks colorama"):
        locked({"click", "colorama"}, LOCK)


def test_what_is_needed_is_followed_to_its_end_but_not_for_other_machines(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["Rich>=1"]\n')
    requires = {
        "rich": ["pygments", "colorama; sys_platform == 'win32'", "x86only; platform_machine == 'x86_64'"],
        "pygments": ["tests-of-it; extra == 'test'", "rich"],
    }
    assert needed(tmp_path / "pyproject.toml", lambda name: requires.get(name.lower())) == {
        "rich",
        "pygments",
    }


def test_the_projects_own_lock_file_has_all_that_the_image_needs_and_no_tool_of_its_tests() -> None:
    names = needed(ROOT / "pyproject.toml")
    lines = locked(names, (ROOT / "requirements.lock").read_text())
    assert "cryptography" in names
    assert "pytest" not in names
    assert lines.count("==") == len(names)
