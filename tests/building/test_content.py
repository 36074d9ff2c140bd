"""Names of what a result is made of."""

import os
from pathlib import Path

from tests.building.content import digest_of, digest_of_files


def test_two_lists_of_parts_never_run_into_each_other() -> None:
    assert digest_of(("ab", "c")) != digest_of(("a", "bc"))


def test_dates_and_byte_code_of_the_builder_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")
    before = digest_of_files(tmp_path)
    os.utime(tmp_path / "module.py", (0, 0))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/module.pyc").write_text("code")
    assert digest_of_files(tmp_path) == before


def test_content_name_and_leave_to_run_count(tmp_path: Path) -> None:
    script = tmp_path / "start"
    script.write_text("true\n")
    found = {digest_of_files(tmp_path)}
    script.chmod(0o755)
    found.add(digest_of_files(tmp_path))
    script.write_text("false\n")
    found.add(digest_of_files(tmp_path))
    script.rename(tmp_path / "stop")
    found.add(digest_of_files(tmp_path))
    assert len(found) == 4


def test_a_link_counts_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("one")
    before = digest_of_files(tmp_path)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("other")
    assert digest_of_files(tmp_path) != before
