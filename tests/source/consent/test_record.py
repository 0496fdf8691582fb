"""What is kept of a consent is little, and what is damaged, unreadable or of another version does not count."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest
from consent_answers import Person
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtswap.core.errors import SourceError, UsageError
from rtswap.source.consent import ConsentRecord, ask, photo_digest
from rtswap.source.consent import record as record_module


def test_nothing_but_hash_day_and_version_is_kept(photo: Path, record: ConsentRecord) -> None:
    ask([photo], record, assume=True)
    (path,) = record.folder.iterdir()
    assert path.name == photo_digest(photo)
    content = json.loads(path.read_text())
    assert set(content) == {"date", "statement"}
    date.fromisoformat(content["date"])
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert record.folder.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_statement_of_another_version_does_not_count(
    photo: Path, record: ConsentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask([photo], record, assume=True)
    monkeypatch.setattr(record_module, "STATEMENT_VERSION", 2)
    with pytest.raises(UsageError):
        ask([photo], record, answer=Person("n"))
    ask([photo], record, answer=Person("y"))
    ask([photo], record, answer=Person(None))


DAMAGED = [
    b"",
    b"null",
    b"1",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"statement": 1}',
    b'{"date": "2026-11-21"}',
    b'{"date": 5, "statement": 1}',
    b'{"date": "yesterday", "statement": 1}',
    b'{"date": "2026-11-21", "statement": true}',
    b'{"date": "2026-11-21", "statement": "1"}',
    b"[" * 900,
    b'{"date": "2026-11-21", "statement": 1' + b" " * 100_000 + b"}",
]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda data: repr(data[:20]))
def test_damaged_record_asks_again_and_is_mended(photo: Path, record: ConsentRecord, content: bytes) -> None:
    ask([photo], record, assume=True)
    (record.folder / photo_digest(photo)).write_bytes(content)
    person = Person("y")
    ask([photo], record, answer=person)
    assert len(person.questions) == 1
    ask([photo], record, answer=Person(None))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_no_rubbish_passes_for_consent(tmp_path: Path, content: bytes) -> None:
    record = ConsentRecord(tmp_path)
    (tmp_path / ("0" * 64)).write_bytes(content)
    assert not record.holds("0" * 64)


def test_folder_in_the_place_of_a_record_asks_every_time(photo: Path, record: ConsentRecord) -> None:
    (record.folder / photo_digest(photo)).mkdir(parents=True)
    events: list[str] = []
    for _ in range(2):
        person = Person("y")
        ask([photo], record, answer=person, on_event=events.append)
        assert len(person.questions) == 1
    assert "cannot store the confirmation" in events[0]


def test_state_that_cannot_be_written_counts_for_this_run(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    record = ConsentRecord(tmp_path / "file" / "consent")
    events: list[str] = []
    ask([photo], record, answer=Person("y"), on_event=events.append)
    assert "cannot store the confirmation" in events[0]
    with pytest.raises(UsageError):
        ask([photo], record, answer=Person("n"))


def test_full_disk_leaves_nothing_half_written(
    photo: Path, record: ConsentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    events: list[str] = []
    ask([photo], record, answer=Person("y"), on_event=events.append)
    assert "No space left" in events[0]
    assert not list(record.folder.iterdir())


def test_unreadable_record_asks_again(photo: Path, record: ConsentRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    ask([photo], record, assume=True)
    digest = photo_digest(photo)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rtswap.source.consent.record.open_regular", refused)
    assert not record.holds(digest)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no modes")
def test_record_that_others_can_write_asks_again(photo: Path, record: ConsentRecord) -> None:
    ask([photo], record, assume=True)
    assert record.holds(photo_digest(photo))
    record.folder.chmod(0o777)
    assert not record.holds(photo_digest(photo))


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_digests_name_records(record: ConsentRecord, digest: str) -> None:
    for method in (record.holds, record.remember, record.forget):
        if method == record.holds:
            assert not method(digest)
        else:
            with pytest.raises(ValueError, match="SHA-256"):
                method(digest)


def test_by_default_in_the_users_state_folder() -> None:
    import platformdirs

    assert ConsentRecord().folder.parent == platformdirs.user_state_path("rtswap")


def test_the_name_of_a_persona_alone_is_no_photo() -> None:
    with pytest.raises(SourceError, match=r"no such file: Lena\. Did you mean persona:lena\?"):
        photo_digest(Path("Lena"))
