"""What makes a root depend on the day or the machine that it is built on, and must not."""

from pathlib import Path

from tests.image.build.root_filesystem import date_accounts


def test_accounts_are_as_old_as_the_source_and_otherwise_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    shadow = tmp_path / "etc/shadow"
    shadow.write_text("root:*:20100:0:99999:7:::\nconclave:!*:20788::::::\n")
    date_accounts(tmp_path, 86_400 * 20_000 + 5)
    assert shadow.read_text() == "root:*:20000:0:99999:7:::\nconclave:!*:20000::::::\n"
