"""What is kept is told, and goes when somebody says so; files of others stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtswap.commands.forget.kept_data import Kept, find_kept, forget_all, forget_photos
from rtswap.commands.main import main
from rtswap.core.errors import OutputError
from rtswap.disclosure.certificate import local_identity
from rtswap.source.consent import ConsentRecord, ask, photo_digest


def test_stored_data_is_listed_and_deleted(tmp_path: Path, photo: Path, record: ConsentRecord) -> None:
    config = tmp_path / "config"
    assert find_kept(record, config) == Kept(0, str(record.folder), 0, str(config / "signing.pem"))
    ask([photo], record, assume=True)
    local_identity(config)
    (record.folder / ".half").write_bytes(b"left by a crash")
    before = find_kept(record, config)
    assert (before.photos, before.certificates) == (1, 1)
    assert forget_all(record, config) == before
    after = find_kept(record, config)
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


def test_a_folder_of_photos_is_forgotten_as_it_was_confirmed(tmp_path: Path, record: ConsentRecord) -> None:
    (tmp_path / "me").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "me" / name).write_bytes(name.encode())
    ask([tmp_path / "me"], record, assume=True)
    assert forget_photos([str(tmp_path / "me")], record) == 2
    assert len(record) == 0


def test_damaged_records_are_deleted_too(photo: Path, record: ConsentRecord) -> None:
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
        find_kept(ConsentRecord(tmp_path / "file"), tmp_path)


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
    assert "Deleted 1 confirmed photo and 1 certificate." in capsys.readouterr().out
    assert len(own_state) == 0
    assert main(["forget", str(photo)]) == 0
    assert capsys.readouterr().out.startswith("Nothing deleted: no record of that.")
    ask([photo], own_state, assume=True)
    assert main(["forget", str(photo)]) == 0
    assert capsys.readouterr().out.startswith("Deleted 1 confirmed photo.")


def test_the_command_on_a_deleted_photo(
    own_state: ConsentRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", str(tmp_path / "gone.jpg")]) == 2
    assert "no such file" in capsys.readouterr().err
