"""The trust store on the disk."""

import json
from pathlib import Path

import pytest

from conclaved.identity import Assurance, TrustFile, TrustFileError, TrustStore, parse_anchor_pem
from tests.pki import TestAuthority

ROOT = TestAuthority("Root")


@pytest.fixture
def filled() -> TrustStore:
    anchors = parse_anchor_pem(ROOT.root_pem, kind=Assurance.VERIFIED, domains=["example.com"], label="ours")
    return TrustStore(anchors, frozenset({"ab" * 32}), frozenset({"bad.example.com"}))


def test_a_store_is_read_back_as_it_was_written(tmp_path: Path, filled: TrustStore) -> None:
    file = TrustFile(tmp_path / "new" / "trust.json")
    file.save(filled)
    assert file.load() == filled


def test_no_file_is_an_empty_store(tmp_path: Path) -> None:
    assert TrustFile(tmp_path / "trust.json").load() == TrustStore()


def test_the_file_can_be_read_by_a_person(tmp_path: Path, filled: TrustStore) -> None:
    TrustFile(tmp_path / "trust.json").save(filled)
    content = json.loads((tmp_path / "trust.json").read_text())
    assert content["anchors"][0] | {"pem": ""} == {
        "label": "ours",
        "kind": "verified",
        "domains": ["example.com"],
        "fingerprint": filled.anchors[0].fingerprint,
        "pem": "",
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        b"[" * 100000,
        b'{"version": 1, "anchors": {}}',
        b'{"version": 1, "anchors": [{"pem": "x", "kind": "verified", "domains": [], "label": ""}]}',
        b'{"version": 1, "anchors": [], "blocked_keys": [1], "blocked_names": []}',
        b'{"version": 1, "anchors": [], "blocked_keys": [], "blocked_names": ["*"]}',
        b'{"version": 2, "anchors": [], "blocked_keys": [], "blocked_names": []}',
    ],
    ids=range(10),
)
def test_a_damaged_file_is_never_an_empty_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trust.json"
    path.write_bytes(content)
    with pytest.raises(TrustFileError) as caught:
        TrustFile(path).load()
    assert caught.value.hint
    assert path.read_bytes() == content


def test_a_cut_while_saving_leaves_the_old_file(
    tmp_path: Path, filled: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = TrustFile(tmp_path / "trust.json")
    file.save(filled)

    def cut(descriptor: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("os.fsync", cut)
    with pytest.raises(TrustFileError):
        file.save(TrustStore())
    assert file.load() == filled
    assert [path.name for path in tmp_path.iterdir()] == ["trust.json"]
