"""What hosts decided in one use of a link is known in the next."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from conclaved.service.terms_files import TermsFiles
from tests.meeting.cast import HOST, A, context, host_admission
from tests.meeting.simulated_service import Meeting, agree, identity

KEY = A.signer.public_key
TERMS = replace(context(kicked=frozenset({KEY})), serial=3).signed(HOST.signer, host_admission())
END = TERMS.invitation.content.not_after


def test_it_comes_back_but_for_the_signature_and_the_end(tmp_path: Path) -> None:
    files = TermsFiles(tmp_path / "terms")
    assert files.load(TERMS.invitation) is None
    files.save(replace(TERMS, is_ended=True))
    assert files.load(TERMS.invitation) == replace(TERMS, word=None)


def test_it_is_nobody_elses_to_read(tmp_path: Path) -> None:
    files = TermsFiles(tmp_path / "terms")
    files.save(TERMS)
    (path,) = (tmp_path / "terms").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_the_newest_is_kept(tmp_path: Path) -> None:
    files = TermsFiles(tmp_path)
    files.save(TERMS)
    files.save(replace(TERMS, kicked=frozenset(), serial=4))
    kept = files.load(TERMS.invitation)
    assert kept is not None
    assert (kept.kicked, kept.serial) == (frozenset(), 4)


@pytest.mark.parametrize("data", [b"", b"junk", TERMS.extension().data[:-3]])
def test_a_damaged_one_is_put_aside_and_told_of(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    files = TermsFiles(tmp_path)
    files.save(TERMS)
    (path,) = tmp_path.iterdir()
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert files.load(TERMS.invitation) is None
    assert "thrown out may come back" in caplog.text
    assert [each.suffix for each in tmp_path.iterdir()] == [".damaged"]
    files.save(TERMS)
    assert files.load(TERMS.invitation) is not None


def test_after_the_invitations_end_it_is_gone(tmp_path: Path) -> None:
    files = TermsFiles(tmp_path)
    files.save(TERMS)
    files.remove_ended(END - 1)
    assert files.load(TERMS.invitation) is not None
    files.remove_ended(END)
    assert files.load(TERMS.invitation) is None


def test_who_was_thrown_out_stays_out_in_the_next_use_of_the_link(tmp_path: Path) -> None:
    meeting, files = Meeting.invite(("a.example.com",)), TermsFiles(tmp_path)
    guest = identity("guest.example.com")
    host, room = meeting.room(meeting.host), meeting.room(guest)
    meeting.service.run(3)
    host.admit("guest.example.com")
    meeting.service.run(3)
    agree(host, room)
    admission = room.session.admission
    host.kick("guest.example.com")
    meeting.service.run(3)
    terms = host.session.kept_terms
    assert terms is not None
    files.save(terms)
    host.leave()
    meeting.service.run(3)
    meeting.service.log.clear()
    again = meeting.room(meeting.host, terms=files.load(meeting.invitation))
    meeting.service.run(2)
    assert again.is_in()
    back = meeting.room(guest, admission=admission)
    meeting.service.run(30)
    assert not back.is_in()
    assert again.names() == {"host.example.com"}
