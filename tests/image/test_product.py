"""What the product's image has not: the tests' way in, the developers' admin. Otherwise both are the same."""

import subprocess
from pathlib import Path

import pytest

from tests.image.build.image import TEST_LAYER, Image, image

CONFIG = "etc/conclave/conclave.toml"


@pytest.fixture(scope="module")
def product(built: Image) -> Image:
    """The image as a device maker ships it."""
    return image(layers=(), for_developers=False)


def unsquashed(*words: str) -> str:
    """What `unsquashfs` (squashfs-tools) prints."""
    return subprocess.run(
        ["unsquashfs", *words], check=True, capture_output=True, text=True, timeout=120
    ).stdout


def names(root: Path) -> set[str]:
    """All files and folders of a squashfs."""
    lines = unsquashed("-l", "-d", "", str(root)).splitlines()
    return {line.lstrip("/") for line in lines if line.startswith("/")}


def contents(root: Path, name: str) -> str:
    """A file of a squashfs."""
    return unsquashed("-cat", str(root), name)


def test_it_has_all_that_was_tested_but_the_layer_of_the_tests(product: Image, built: Image) -> None:
    layer = {str(path.relative_to(TEST_LAYER)) for path in TEST_LAYER.rglob("*") if not path.is_dir()}
    shipped, tested = names(product.root), names(built.root)
    assert shipped - tested == set()
    added = tested - shipped
    assert layer <= added
    folders = {str(parent) for name in layer for parent in Path(name).parents}
    assert added - layer <= folders


def test_it_has_no_root_console(product: Image, built: Image) -> None:
    console = "usr/lib/systemd/system/conclave-test-console.service"
    assert console in names(built.root)
    assert [name for name in names(product.root) if "conclave-test" in name] == []


def test_it_knows_no_admin(product: Image, built: Image) -> None:
    assert "ssh-ed25519" in contents(built.root, CONFIG)
    assert "ssh-" not in contents(product.root, CONFIG)


def test_it_has_no_key_of_anybody(product: Image) -> None:
    looks_like_one = ("authorized_keys", "ssh_host_", ".key", "id_rsa", "id_ed25519", "wrapping-key.")
    assert [name for name in names(product.root) if Path(name).name.startswith(looks_like_one)] == []
    assert [name for name in names(product.root) if name.endswith(looks_like_one)] == []


def test_its_settings_differ_in_nothing_but_the_admin(product: Image, built: Image) -> None:
    tested, shipped = contents(built.root, CONFIG), contents(product.root, CONFIG)
    assert tested.startswith(shipped)
    assert tested.removeprefix(shipped).split()[:3] == ["[access]", "keys", "="]


def test_it_has_another_root_hash(product: Image, built: Image) -> None:
    assert product.root_hash != built.root_hash
