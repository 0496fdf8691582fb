"""Recordings of studios that write into one folder."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from media_files import mark_picture

from rtswap.app.config import Config
from rtswap.core.errors import OutputError
from rtswap.core.types import StreamInfo
from rtswap.web.outputs import Added, Outputs


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: form)


def begin(folder: Path) -> Added:
    """A recording of another studio, with a few pictures."""
    outputs = Outputs(Config(), folder, tag="", on_event=print)
    added = outputs.open("record", "", StreamInfo(320, 240, 25.0, live=True))
    for index in range(5):
        added.send(mark_picture(index))
    return added


def test_studios_that_begin_in_the_same_second_keep_their_recordings(tmp_path: Path) -> None:
    """Of two the later one was left unfinished and unsigned, and offered the other's film as its own."""
    both = [begin(tmp_path), begin(tmp_path)]
    for one in both:
        one.close()
    both.append(begin(tmp_path))
    both[-1].close()
    assert all(one.is_whole for one in both)
    assert {path.name for path in tmp_path.iterdir()} == {one.words for one in both}
    assert len({one.path for one in both}) == 3
    assert all(b"c2pa" in path.read_bytes() for path in tmp_path.iterdir())


def test_what_took_a_recordings_name_meanwhile_is_not_offered(tmp_path: Path) -> None:
    added = begin(tmp_path)
    assert added.path is not None
    added.path.write_bytes(b"of somebody else")
    with pytest.raises(OutputError, match="was created by another program"):
        added.close()
    assert not added.is_whole
    assert added.plain()["bytes"] > 100
    assert added.path.read_bytes() == b"of somebody else"
