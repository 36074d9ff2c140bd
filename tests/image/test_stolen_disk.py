import subprocess
from pathlib import Path

from tests.image.stolen_disk import raw, steal, take


def test_a_file_on_the_data_partition_is_read_without_the_device(tmp_path: Path) -> None:
    tree, disk, part = tmp_path / "tree", tmp_path / "disk", tmp_path / "part"
    (tree / "lib/conclave").mkdir(parents=True)
    (tree / "lib/conclave/file").write_text("a word that is on the disk")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, part, "8M"], check=True)
    disk.touch()
    subprocess.run(["truncate", "-s", "16M", disk], check=True)
    table = "label: gpt\nname=other, start=2048, size=2048\nname=data, size=16384\n"
    subprocess.run(["sfdisk", "-q", disk], input=table, text=True, check=True)
    words = [f"if={part}", f"of={disk}", "bs=512", "seek=4096", "conv=notrunc", "status=none"]
    subprocess.run(["dd", *words], check=True)
    stolen = steal(disk, tmp_path)
    assert (take(stolen, "/lib/conclave", tmp_path / "taken") / "file").read_text().startswith("a word")
    with raw(stolen) as content:
        assert content.find(b"a word that is on the disk") >= 0
