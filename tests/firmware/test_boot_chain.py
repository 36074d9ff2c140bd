"""What post-image.sh is made of: hashes, initrd, a signed FIT, and U-Boot's knowledge of the key."""

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.buildroot_tree import BOARDS, EXTERNAL

COMMON = EXTERNAL / "board/common"
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
Program = Callable[[str], str]


def run(*words: str | Path, **environment: str) -> str:
    """A program that must succeed; what it printed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": path, **EPOCH, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def keys(tmp_path: Path, program: Program) -> Path:
    """Development keys, made as a build makes them."""
    program("openssl")
    return Path(run(COMMON / "boot-keys", tmp_path, CONCLAVE_KEYS="").strip())


def test_development_keys_are_made_once_and_are_nobodys_to_read(keys: Path, tmp_path: Path) -> None:
    made = (keys / "boot.key").read_bytes()
    assert keys.stat().st_mode & 0o777 == 0o700
    assert run(COMMON / "boot-keys", tmp_path, CONCLAVE_KEYS="").strip() == str(keys)
    assert (keys / "boot.key").read_bytes() == made


def test_a_makers_keys_that_lack_are_asked_for_and_not_replaced(tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMON / "boot-keys", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "CONCLAVE_KEYS": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "has no boot.key: docs/firmware.md" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_hashes_lead_to_every_block(tmp_path: Path, program: Program) -> None:
    veritysetup = program("veritysetup")
    root, out, root_hash = tmp_path / "squashfs", tmp_path / "root", tmp_path / "hash"
    root.write_bytes(os.urandom(1_000_001))
    run(COMMON / "append-hashes", root, out, root_hash)
    words = ("verify", out, out, root_hash.read_text().strip(), f"--hash-offset={245 * 4096}")
    run(veritysetup, *words)
    with out.open("r+b") as file:
        file.seek(700_000)
        file.write(b"altered")
    refused = subprocess.run([veritysetup, *words], capture_output=True, text=True)
    assert refused.returncode != 0


def test_the_same_root_has_the_same_hash(tmp_path: Path, program: Program) -> None:
    program("veritysetup")
    (tmp_path / "squashfs").write_bytes(b"root" * 10_000)
    hashes = []
    for name in ("one", "two"):
        run(COMMON / "append-hashes", tmp_path / "squashfs", tmp_path / name, tmp_path / f"{name}.hash")
        hashes.append((tmp_path / f"{name}.hash").read_text())
    assert hashes[0] == hashes[1]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def device_tree(source: str, target: Path) -> Path:
    """A compiled device tree."""
    target.with_suffix(".dts").write_text(source)
    run("dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", target, target.with_suffix(".dts"))
    return target


@pytest.fixture
def parts(tmp_path: Path, program: Program) -> Path:
    """A kernel, an initrd, two boards' device trees and an overlay, as a build would have them."""
    for name in ("mkimage", "dtc", "fdtoverlay", "fdtget"):
        program(name)
    images = tmp_path / "images"
    images.mkdir()
    (images / "Image.gz").write_bytes(gzip.compress(b"kernel", mtime=0))
    (images / "initrd").write_bytes(b"initrd")
    for name in ("one", "two"):
        device_tree(f'/dts-v1/; / {{ model = "{name}"; }};', images / f"{name}.dtb")
    device_tree('/dts-v1/; /plugin/; &{/} { room = "yes"; };', images / "room.dtbo")
    return images


def fit(parts: Path, keys: Path, *trees: str) -> Path:
    """A signed FIT of `parts`."""
    out = parts / "kernel.fit"
    words = (out, keys, "1.0", parts / "Image.gz", "0x40400000", parts / "initrd", parts)
    run(COMMON / "fit", *words, *trees)
    return out


def test_a_fit_without_trees_is_signed_over_kernel_and_initrd(parts: Path, keys: Path) -> None:
    listed = run("mkimage", "-l", fit(parts, keys))
    assert re.search(r"Sign algo: +sha256,rsa2048:boot\n +Sign value: +[0-9a-f]{512}", listed)
    assert "FDT" not in listed


def test_each_boards_tree_gets_its_overlay_and_its_own_signature(parts: Path, keys: Path) -> None:
    made = fit(parts, keys, "one:one.dtb:room.dtbo", "two:two.dtb")
    listed = run("mkimage", "-l", made)
    assert re.findall(r"Configuration \d \((.+)\)", listed) == ["conf", "conf-two"]
    assert len(re.findall(r"Sign value: +[0-9a-f]{512}", listed)) == 2
    # The second image in a FIT, in the order of image.its: kernel, initrd, trees.
    run("dumpimage", "-T", "flat_dt", "-p", "2", "-o", parts / "out.dtb", made)
    assert run("fdtget", parts / "out.dtb", "/", "room") == "yes\n"
    assert run("fdtget", parts / "out.dtb", "/", "model") == "one\n"


def test_its_signature_covers_the_tree(parts: Path, keys: Path) -> None:
    made = fit(parts, keys, "one:one.dtb")
    signed = run("fdtget", made, "/configurations/conf/signature", "sign-images").split()
    assert signed == ["kernel", "fdt", "ramdisk"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_u_boot_demands_the_key_and_knows_the_boards_commands(
    board: Path, parts: Path, keys: Path, tmp_path: Path
) -> None:
    out, work = tmp_path / "conclave.dtsi", tmp_path / "build"
    run(
        *(COMMON / "uboot-device-tree", board.name, out),
        HOST_DIR="/usr",
        BUILD_DIR=str(work),
        CONFIG_DIR=str(tmp_path),
        CONCLAVE_KEYS="",
    )
    tree = device_tree(f"/dts-v1/;\n{out.read_text()}", tmp_path / "u-boot.dtb")
    assert run("fdtget", tree, "/signature/key-boot", "required") == "conf\n"
    assert run("fdtget", "-t", "x", tree, "/config", "bootdelay") == "fffffffe\n"
    commands = run("fdtget", "-t", "s", tree, "/config", "bootcmd")
    assert commands.rstrip("\n") == run(COMMON / "boot-commands", board.name).rstrip("\n")
    assert "setenv boot_interface" in commands
    assert "#" not in commands.replace("#conf", "")


def test_trees_that_the_raspberrys_firmware_hands_over_keep_what_they_had(
    parts: Path, keys: Path, tmp_path: Path
) -> None:
    for name in ("cm4-io", "4-b"):
        shutil.copy(parts / "one.dtb", parts / f"bcm2711-rpi-{name}.dtb")
    environment = {"HOST_DIR": "/usr", "BUILD_DIR": str(tmp_path / "b"), "CONFIG_DIR": str(tmp_path)}
    run(EXTERNAL / "board/raspberrypi4/prepare-disk", parts, CONCLAVE_KEYS="", **environment)
    for name in ("cm4-io", "4-b"):
        tree = parts / f"u-boot-{name}.dtb"
        assert run("fdtget", tree, "/", "model") == "one\n"
        assert run("fdtget", tree, "/signature/key-boot", "required") == "conf\n"
        assert "mmc dev 0" in run("fdtget", "-t", "s", tree, "/config", "bootcmd")
    # Linux's own tree, which goes into the FIT, has nothing of it.
    listed = run("fdtget", "-l", parts / "bcm2711-rpi-4-b.dtb", "/")
    assert "signature" not in listed


def test_the_raspberrys_firmware_is_told_of_trees_that_are_on_its_partition() -> None:
    board = EXTERNAL / "board/raspberrypi4"
    named = re.findall(r"^device_tree=(\S+)$", (board / "config.txt").read_text(), re.M)
    there = re.findall(r'"([^"]+)"', (board / "genimage.images").read_text())
    assert named
    assert set(named) <= set(there)
    assert set(re.findall(r"^kernel=(\S+)$", (board / "config.txt").read_text(), re.M)) <= set(there)


def test_the_keys_of_u_boot_and_of_the_fit_are_one(parts: Path, keys: Path, tmp_path: Path) -> None:
    environment = {"HOST_DIR": "/usr", "BUILD_DIR": str(tmp_path / "b"), "CONFIG_DIR": str(tmp_path)}
    out = tmp_path / "conclave.dtsi"
    run(COMMON / "uboot-device-tree", "qemu-aarch64", out, CONCLAVE_KEYS="", **environment)
    tree = device_tree(f"/dts-v1/;\n{out.read_text()}", tmp_path / "u-boot.dtb")
    modulus = int(run("openssl", "rsa", "-in", keys / "boot.key", "-noout", "-modulus").partition("=")[2], 16)
    words = run("fdtget", "-t", "x", tree, "/signature/key-boot", "rsa,modulus").split()
    assert int("".join(word.zfill(8) for word in words), 16) == modulus


def test_the_initrd_has_each_library_that_its_programs_load(tmp_path: Path, program: Program) -> None:
    busybox, veritysetup = program("sh"), program("veritysetup")
    for name in ("cpio", "readelf"):
        program(name)
    target = tmp_path / "target"
    for found, place in ((busybox, "usr/bin/busybox"), (veritysetup, "usr/sbin/veritysetup")):
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, target / place)
    (target / "usr/lib").mkdir()
    for path in re.findall(r"(/\S+\.so\S*) \(", run("ldd", veritysetup)):
        shutil.copy(path, target / "usr/lib")
    (tmp_path / "hash").write_text("00\n")
    run(COMMON / "initrd", target, tmp_path / "hash", tmp_path / "initrd")
    (tmp_path / "archive").write_bytes(gzip.decompress((tmp_path / "initrd").read_bytes()))
    listed = set(run("cpio", "--quiet", "-t", "-F", tmp_path / "archive").split())
    assert {
        "init",
        "bin/busybox",
        "bin/sh",
        "usr/sbin/veritysetup",
        "etc/root-hash",
        "modules/order",
    } <= listed
    # Run by nothing but what is in it: the loader says so if a library lacks.
    tree = tmp_path / "tree"
    tree.mkdir()
    run("cpio", "--quiet", "-i", "-D", tree, "-F", tmp_path / "archive", "lib*", "usr*")
    loader = next(tree.glob("lib*/ld-linux*"))
    assert "veritysetup" in run(
        loader, "--library-path", tree / "lib", tree / "usr/sbin/veritysetup", "--version"
    )


def test_the_same_initrd_is_made_twice(tmp_path: Path, program: Program) -> None:
    for name in ("cpio", "readelf"):
        program(name)
    (tmp_path / "target/usr/sbin").mkdir(parents=True)
    (tmp_path / "target/usr/bin").mkdir()
    shutil.copy(program("sh"), tmp_path / "target/usr/bin/busybox")
    shutil.copy(program("sh"), tmp_path / "target/usr/sbin/veritysetup")
    (tmp_path / "target/usr/lib").mkdir()
    for path in re.findall(
        r"(/\S+\.so\S*) \(",
        subprocess.run(["ldd", program("sh")], capture_output=True, text=True).stdout,
    ):
        shutil.copy(path, tmp_path / "target/usr/lib")
    (tmp_path / "hash").write_text("00\n")
    for name in ("one", "two"):
        run(COMMON / "initrd", tmp_path / "target", tmp_path / "hash", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_library_that_lacks_stops_the_build(tmp_path: Path, program: Program) -> None:
    program("readelf")
    (tmp_path / "target/usr/sbin").mkdir(parents=True)
    (tmp_path / "target/usr/bin").mkdir()
    shutil.copy(program("veritysetup"), tmp_path / "target/usr/bin/busybox")
    done = subprocess.run(
        [COMMON / "initrd", tmp_path / "target", tmp_path / "hash", tmp_path / "out"],
        capture_output=True,
        text=True,
        env={**os.environ, **EPOCH},
    )
    assert done.returncode != 0
    assert "which the initrd needs" in done.stderr
    assert not (tmp_path / "out").exists()


def test_all_of_it_makes_a_disk_with_a_signed_slot_twice(tmp_path: Path, program: Program) -> None:
    for name in ("genimage", "mkimage", "veritysetup", "cpio", "readelf", "openssl"):
        program(name)
    target, images = tmp_path / "target", tmp_path / "images"
    for place in ("usr/bin/busybox", "usr/sbin/veritysetup"):
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program("sh"), target / place)
    (target / "usr/lib").mkdir()
    for path in re.findall(r"(/\S+\.so\S*) \(", run("ldd", program("sh"))):
        shutil.copy(path, target / "usr/lib")
    images.mkdir()
    (images / "Image").write_bytes(b"kernel" * 1000)
    (images / "rootfs.squashfs").write_bytes(os.urandom(200_000))
    environment = {"HOST_DIR": "/usr", "TARGET_DIR": str(target), "CONFIG_DIR": str(tmp_path)}
    run(
        COMMON / "post-image.sh",
        images,
        "qemu-aarch64",
        CONCLAVE_KEYS="",
        BUILD_DIR=str(tmp_path),
        **environment,
    )
    assert {line.split()[1] for line in (images / "sizes").read_text().splitlines()} == {
        "rootfs.squashfs",
        "root.verity",
        "kernel.fit",
        "Image",
        "disk.img",
    }
    assert "Sign value" in run("mkimage", "-l", images / "kernel.fit")
    with (images / "disk.img").open("rb") as disk:
        # Slot B's kernel, at the sector that partitions.sfdisk leads to.
        disk.seek((2048 + 2048 + 131072 + 524288) * 512)
        assert disk.read(1000) == (images / "kernel.fit").read_bytes()[:1000]
