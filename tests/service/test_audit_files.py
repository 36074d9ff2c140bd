"""The records of meetings on disk."""

from pathlib import Path

import pytest

from conclaved.service import audit_files
from conclaved.service.audit_files import KEPT, AuditFiles, audit_name

BEGAN = 1_900_000_000


def test_a_record_is_named_by_time_and_meeting_and_read_back_by_that_name(tmp_path: Path) -> None:
    files = AuditFiles(tmp_path / "audit")
    name = audit_name(BEGAN, bytes(range(16)))
    assert name == "20300317T174640Z-00010203"
    files.save(name, "a.b.c")
    assert files.read(name) == "a.b.c"
    assert (tmp_path / "audit" / f"{name}.jws").stat().st_mode & 0o777 == 0o600


def test_a_record_is_replaced_by_its_newer_state(tmp_path: Path) -> None:
    files = AuditFiles(tmp_path)
    name = audit_name(BEGAN, bytes(16))
    files.save(name, "a.b.c")
    files.save(name, "d.e.f")
    assert (files.names(), files.read(name)) == ((name,), "d.e.f")


def test_of_many_records_the_newest_are_kept_and_listed_first(tmp_path: Path) -> None:
    files = AuditFiles(tmp_path)
    names = [audit_name(BEGAN + 60 * number, bytes(16)) for number in range(KEPT + 3)]
    for name in names:
        files.save(name, "a.b.c")
    assert files.names() == tuple(reversed(names[3:]))
    assert files.read(names[0]) is None


def test_old_records_go_where_all_together_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_files, "KEPT_BYTES", 25)
    files = AuditFiles(tmp_path)
    names = [audit_name(BEGAN + number, bytes(16)) for number in range(3)]
    for name in names:
        files.save(name, "ten.by.tes")
    assert files.names() == (names[2], names[1])
    files.save(names[2], "x" * 100)
    assert files.names() == (names[2],)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../policy", "/etc/shadow", "20300317T174640Z-0001020/", "20300317T174640Z-ABCDEF01", "x\0"],
)
def test_no_other_file_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "policy.jws").write_text("secret")
    assert AuditFiles(tmp_path / "audit").read(name) is None


def test_files_of_others_are_neither_listed_nor_dropped(tmp_path: Path) -> None:
    (tmp_path / "notes.jws").write_text("x")
    files = AuditFiles(tmp_path)
    files.save(audit_name(BEGAN, bytes(16)), "a.b.c")
    assert files.names() == (audit_name(BEGAN, bytes(16)),)
    assert (tmp_path / "notes.jws").exists()


def test_without_a_directory_there_are_no_records(tmp_path: Path) -> None:
    assert AuditFiles(tmp_path / "audit").names() == ()
