"""What a command writes into a folder is there complete, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtswap.commands.reports.folder import publish_folder
from rtswap.core.errors import OutputError


def test_no_message_leads_to_what_was_deleted(tmp_path: Path) -> None:
    """On a full disk ``inspect`` named the recording so far, which went with the folder."""
    with (
        pytest.raises(OutputError, match=r"got a full disk\. Free some space") as caught,
        publish_folder(tmp_path / "seen", ["film.mp4"], overwrite=False) as work,
    ):
        raise OutputError("cannot write the film", got="a full disk", do=f"So far it is in {work / 'film.mp4'}.")
    assert not list(tmp_path.iterdir())
    assert str(tmp_path) not in caught.value.do


def test_the_working_folder_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name to put ``.partial`` after: an internal error. The one around it may not be writable."""
    monkeypatch.chdir(tmp_path)
    with publish_folder(Path(), ["film.mp4"], overwrite=False) as work:
        assert work.parent.samefile(tmp_path)
        (work / "film.mp4").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
