"""Nobody's face is used before somebody has said that this is all right."""

from __future__ import annotations

import io
import os
import shutil
import sys
from importlib import resources
from pathlib import Path

import pytest
from consent_answers import Person

from rtswap.core.errors import SourceError, UsageError
from rtswap.source.consent import ConsentRecord, ask, ask_on_terminal, photo_digest


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


def test_personas_need_no_consent(tmp_path: Path, record: ConsentRecord) -> None:
    folder = Path(str(resources.files("rtswap").joinpath("assets/personas")))
    copy = tmp_path / "copy.jpg"
    shutil.copy(folder / "ada.jpg", copy)
    nobody = Person(None)
    ask([folder, folder / "ben.jpg", copy, "persona:carl"], record, answer=nobody)
    assert not nobody.questions
    assert not record.folder.exists()


def test_a_file_that_is_called_like_a_persona_is_a_photo_by_its_path(
    tmp_path: Path, record: ConsentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("persona:jane").write_bytes(b"photo")
    ask(["persona:jane"], record, answer=Person(None))  # no persona: the run says so
    with pytest.raises(UsageError):
        ask(["./persona:jane"], record, answer=Person(None))


@pytest.mark.parametrize("missing", ["gone.jpg", "a\0b", "x" * 5000])
def test_photo_that_cannot_be_read_is_one_line(tmp_path: Path, record: ConsentRecord, missing: str) -> None:
    with pytest.raises(SourceError) as caught:
        ask([tmp_path / missing], record, assume=True)
    assert "\n" not in str(caught.value)


def test_endless_source_is_refused(record: ConsentRecord, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/zero")):
        with pytest.raises(SourceError, match="regular"):
            ask([path], record, assume=True)
    with (tmp_path / "holes.jpg").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SourceError, match="File too large"):
        ask([tmp_path / "holes.jpg"], record, assume=True)


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
def test_piped_input_confirms_nothing(monkeypatch: pytest.MonkeyPatch, stdin: object, stderr: object) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert ask_on_terminal("Really? ") is None


def test_file_name_cannot_steer_the_terminal(tmp_path: Path, record: ConsentRecord) -> None:
    path = tmp_path / "a\x1b[2J\nb.jpg"
    path.write_bytes(b"photo")
    person = Person("y")
    ask([path], record, answer=person)
    assert "\x1b" not in person.questions[0]
