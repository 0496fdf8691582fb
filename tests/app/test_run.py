"""Which outputs a run opens by default, and what is closed if one cannot be opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from media_files import make_clip
from PIL import Image as Pillow

from rtswap.app import run
from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig, OutputConfig
from rtswap.core.errors import OutputError
from rtswap.core.types import StreamInfo
from rtswap.media.outputs import virtual_camera, window

LIVE = StreamInfo(640, 480, 30.0, live=True)
CONTROLS: Any = SimpleNamespace(press=lambda key: None, overlay=lambda image: None)


class FakeOutput:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FakeOutput]:
    """What is opened is written down, not opened. An address ``bad`` cannot be."""
    found: list[FakeOutput] = []

    def open_output(address: str, _: object) -> FakeOutput:
        if address == "bad":
            raise OutputError("bad cannot be opened")
        found.append(FakeOutput(address))
        return found[-1]

    monkeypatch.setattr(run, "open_output", open_output)
    return found


def outputs_of(*addresses: str) -> tuple[list[Any], Any]:
    config = replace(Config(), output=OutputConfig(to=addresses))
    return run._outputs(config, LIVE, CONTROLS, pytest.fail, pytest.fail)


@pytest.mark.parametrize(
    ("camera", "screen", "expected"),
    [(True, True, "vcam"), (True, False, "vcam"), (False, True, "window")],
)
def test_the_virtual_camera_comes_first_then_the_window(
    opened: list[FakeOutput], monkeypatch: pytest.MonkeyPatch, camera: bool, screen: bool, expected: str
) -> None:
    monkeypatch.setattr(virtual_camera, "available", lambda: (camera, "no driver"))
    monkeypatch.setattr(window, "available", lambda: (screen, "no screen"))
    outputs, preview = outputs_of()
    assert [output.name for output in opened] == [expected]
    assert (preview is opened[0]) == (expected == "window"), "the window is served by the main thread"
    assert (outputs == opened) == (expected == "vcam")


def test_with_neither_the_error_names_both_and_what_to_do(
    opened: list[FakeOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_camera, "available", lambda: (False, "no loopback driver"))
    monkeypatch.setattr(window, "available", lambda: (False, "no screen here"))
    with pytest.raises(OutputError) as caught:
        outputs_of()
    told = str(caught.value)
    assert all(
        word in told for word in ("vcam: no loopback driver", "window: no screen here", "-o out.mp4", "doctor")
    )
    assert not opened


def test_what_was_opened_before_one_that_cannot_be_is_closed(opened: list[FakeOutput]) -> None:
    with pytest.raises(OutputError, match="bad"):
        outputs_of("one.mp4", "window", "bad", "two.mp4")
    assert [(output.name, output.closed) for output in opened] == [("one.mp4", 1), ("window", 1)]


def test_without_sound_the_other_tracks_of_the_film_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Any] = []
    monkeypatch.setattr(run, "open_output", lambda address, request: wanted.append(request) or FakeOutput(address))
    film = replace(LIVE, live=False, audio_path="film.mkv")
    config = replace(Config(), output=OutputConfig(to=("out.mkv",), no_audio=True))
    run._outputs(config, film, CONTROLS, pytest.fail, pytest.fail)
    assert (wanted[0].audio_from, wanted[0].with_sound) == ("film.mkv", False)


def test_a_window_beside_other_outputs_is_set_apart(opened: list[FakeOutput]) -> None:
    outputs, preview = outputs_of("a.mp4", "window", "null")
    assert [output.name for output in outputs] == ["a.mp4", "null"]
    assert preview.name == "window"


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("a.mp4", {"fps": 50.0}, "--fps has no effect: a file keeps its size and frame rate"),
        (
            "a.mp4",
            {"size": (64, 48), "fps": 50.0},
            "--size and --fps have no effect: a file keeps its size and frame",
        ),
        ("a.png", {"fps": 50.0, "duration_s": 1.0}, "--duration has no effect: pictures have no times"),
        ("a.mp4", {"duration_s": 1.0}, ""),
    ],
)
def test_only_flags_that_were_given_are_named(tmp_path: Path, name: str, given: dict[str, Any], says: str) -> None:
    make_clip(tmp_path / "a.mp4", 3)
    Pillow.new("RGB", (64, 48)).save(tmp_path / "a.png")
    events: list[str] = []
    config = replace(Config(), input=InputConfig(address=str(tmp_path / name), **given))
    run._open_input(config, events.append).close()
    assert len(events) == bool(says)
    assert "".join(events).startswith(says)
