"""Nobody's face is used before somebody has said that this is all right; what is kept of that is little, and goes."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from datetime import date
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtswap.cli import main
from rtswap.consent import ConsentRecord, ask, ask_on_terminal, photo_digest
from rtswap.consent import record as record_module
from rtswap.consent.forgetting import Kept, forget_all, forget_photos, kept
from rtswap.disclosure.certificate import local_identity
from rtswap.errors import OutputError, SourceError, UsageError


class Person:
    """At the terminal, saying the same thing every time."""

    def __init__(self, says: str | None) -> None:
        self.says, self.questions = says, []

    def __call__(self, question: str) -> str | None:
        self.questions.append(question)
        return self.says


@pytest.fixture
def record(tmp_path: Path) -> ConsentRecord:
    return ConsentRecord(tmp_path / "state" / "consent")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Jane Doe.jpg"
    path.write_bytes(b"\xff\xd8\xff a photo")
    return path


@pytest.mark.parametrize("yes", ["y", "Y\n", "yes\n", " YES "])
def test_asked_once_for_a_photo(photo: Path, record: ConsentRecord, yes: str) -> None:
    person = Person(yes)
    ask([photo], record, answer=person)
    ask([photo], record, answer=person)
    (question,) = person.questions
    assert photo.name in question
    assert "agreed" in question


@pytest.mark.parametrize("no", ["", "\n", "n\n", "no", "yep", "sure", "j", "1"])
def test_anything_but_yes_is_no(photo: Path, record: ConsentRecord, no: str) -> None:
    with pytest.raises(UsageError, match="not confirmed") as caught:
        ask([photo], record, answer=Person(no))
    assert caught.value.exit_code == 2
    assert not record.holds(photo_digest(photo))
    assert not record.folder.exists()


def test_without_a_terminal_the_flag_is_named(photo: Path, record: ConsentRecord) -> None:
    with pytest.raises(UsageError, match="--i-have-consent") as caught:
        ask([photo], record, answer=Person(None))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_flag_confirms_and_is_remembered(photo: Path, record: ConsentRecord) -> None:
    nobody = Person(None)
    ask([photo], record, assume=True, answer=nobody)
    ask([photo], record, answer=nobody)
    assert not nobody.questions


def test_renamed_photo_is_the_same_and_an_edited_one_is_not(
    photo: Path, record: ConsentRecord, tmp_path: Path
) -> None:
    ask([photo], record, assume=True)
    other = tmp_path / "other.jpg"
    shutil.copy(photo, other)
    ask([other], record, answer=Person(None))
    other.write_bytes(other.read_bytes() + b"!")
    with pytest.raises(UsageError):
        ask([other], record, answer=Person(None))


def test_one_question_for_several(tmp_path: Path, photo: Path, record: ConsentRecord) -> None:
    ask([photo], record, assume=True)
    folder = tmp_path / "more"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(bytes([number]))
    (folder / "notes.txt").write_text("no photo")
    person = Person("y")
    ask([photo, folder], record, answer=person)
    (question,) = person.questions
    assert "these 5 photos" in question
    assert photo.name not in question
    assert len(record) == 6


def test_refusing_several_remembers_none(tmp_path: Path, record: ConsentRecord) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(bytes([number]))
    with pytest.raises(UsageError):
        ask([tmp_path], record, answer=Person("n"))
    assert len(record) == 0


def test_people_who_do_not_exist_need_not_be_asked(tmp_path: Path, record: ConsentRecord) -> None:
    folder = Path(str(resources.files("rtswap").joinpath("assets/personas")))
    copy = tmp_path / "copy.jpg"
    shutil.copy(folder / "ada.jpg", copy)
    nobody = Person(None)
    ask([folder, folder / "ben.jpg", copy, "persona:carl"], record, answer=nobody)
    assert not nobody.questions
    assert not record.folder.exists()


def test_a_file_that_is_called_like_a_persona_is_a_photo(
    tmp_path: Path, record: ConsentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("persona:jane").write_bytes(b"photo")
    with pytest.raises(UsageError):
        ask(["persona:jane"], record, answer=Person(None))


@pytest.mark.parametrize("missing", ["gone.jpg", "a\0b", "x" * 5000])
def test_photo_that_cannot_be_read_is_one_line(tmp_path: Path, record: ConsentRecord, missing: str) -> None:
    with pytest.raises(SourceError) as caught:
        ask([tmp_path / missing], record, assume=True)
    assert "\n" not in str(caught.value)


def test_endless_source_is_refused(record: ConsentRecord, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/zero")):
        with pytest.raises(SourceError, match="ordinary"):
            ask([path], record, assume=True)


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
    assert "cannot be remembered" in events[0]


def test_state_that_cannot_be_written_counts_for_this_run(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    record = ConsentRecord(tmp_path / "file" / "consent")
    events: list[str] = []
    ask([photo], record, answer=Person("y"), on_event=events.append)
    assert "cannot be remembered" in events[0]
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

    monkeypatch.setattr(Path, "open", refused)
    assert not record.holds(digest)


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


# the terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_answer_comes_from_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    monkeypatch.setattr(sys, "stderr", shown)
    assert ask_on_terminal("Really? ") == "yes\n"
    assert shown.getvalue() == "Really? "


def test_end_of_input_is_no(monkeypatch: pytest.MonkeyPatch, photo: Path, record: ConsentRecord) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(UsageError):
        ask([photo], record)


@pytest.mark.parametrize(
    ("stdin", "stderr"),
    [(io.StringIO("y\n"), Terminal()), (Terminal("y\n"), io.StringIO()), (None, Terminal()), (Terminal("y\n"), None)],
    ids=["piped in", "piped out", "no stdin", "no stderr"],
)
def test_what_is_piped_confirms_nothing(monkeypatch: pytest.MonkeyPatch, stdin: object, stderr: object) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert ask_on_terminal("Really? ") is None


def test_file_name_cannot_steer_the_terminal(tmp_path: Path, record: ConsentRecord) -> None:
    path = tmp_path / "a\x1b[2J\nb.jpg"
    path.write_bytes(b"photo")
    person = Person("y")
    ask([path], record, answer=person)
    assert "\x1b" not in person.questions[0]


# forgetting


def test_what_is_kept_is_told_and_goes(tmp_path: Path, photo: Path, record: ConsentRecord) -> None:
    config = tmp_path / "config"
    assert kept(record, config) == Kept(0, str(record.folder), 0, str(config / "signing.pem"))
    ask([photo], record, assume=True)
    local_identity(config)
    (record.folder / ".half").write_bytes(b"left by a crash")
    before = kept(record, config)
    assert (before.photos, before.certificates) == (1, 1)
    assert forget_all(record, config) == before
    after = kept(record, config)
    assert (after.photos, after.certificates) == (0, 0)
    assert not record.folder.exists()
    assert not list(config.iterdir())
    forget_all(record, config)


def test_one_photo_is_forgotten(tmp_path: Path, photo: Path, record: ConsentRecord) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(b"other")
    ask([photo, other], record, assume=True)
    assert forget_photos([photo, photo], record) == 1
    assert forget_photos([photo], record) == 0
    assert not record.holds(photo_digest(photo))
    assert record.holds(photo_digest(other))


def test_damaged_records_are_forgotten_too(photo: Path, record: ConsentRecord) -> None:
    ask([photo], record, assume=True)
    (record.folder / photo_digest(photo)).write_bytes(b"rubbish")
    assert len(record) == 1
    assert forget_photos([photo], record) == 1
    assert len(record) == 0


def test_others_files_are_left_alone(tmp_path: Path, photo: Path, record: ConsentRecord) -> None:
    ask([photo], record, assume=True)
    (record.folder / "notes.txt").write_text("mine")
    forget_all(record, tmp_path / "config")
    assert [path.name for path in record.folder.iterdir()] == ["notes.txt"]


def test_what_cannot_be_deleted_is_one_line(
    tmp_path: Path, photo: Path, record: ConsentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask([photo], record, assume=True)

    def refused(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    for forget in (lambda: forget_all(record, tmp_path), lambda: forget_photos([photo], record)):
        with pytest.raises(OutputError, match="Permission denied") as caught:
            forget()
        assert "\n" not in str(caught.value)


def test_folder_that_cannot_be_listed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot read"):
        kept(ConsentRecord(tmp_path / "file"), tmp_path)


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConsentRecord:
    for kind in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    return ConsentRecord()


def test_command_lists_and_deletes(
    own_state: ConsentRecord, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(b"other")
    ask([photo, other], own_state, assume=True)
    local_identity()
    assert main(["forget"]) == 0
    shown = capsys.readouterr().out
    assert str(own_state.folder) in shown
    assert "--all" in shown
    assert len(own_state) == 2
    assert main(["forget", str(photo), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["deleted"] == {"photos": 1, "certificates": 0}
    assert (told["kept"]["photos"], told["kept"]["certificates"]) == (1, 1)
    assert main(["forget", "--all"]) == 0
    assert "deleted: 1 " in capsys.readouterr().out
    assert len(own_state) == 0


def test_command_on_a_photo_that_is_gone(
    own_state: ConsentRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", str(tmp_path / "gone.jpg")]) == 2
    assert "no such file" in capsys.readouterr().err
