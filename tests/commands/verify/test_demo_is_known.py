"""A clip recorded as in ``make demo`` and re-encoded at 1 Mbit/s is still recognised."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import av
import pytest
from people import face_models
from scripts_loader import load_script

from rtswap.app.marking import payload
from rtswap.commands.main import main

FPS, SECONDS = 10, 1
BITS = 1_000_000 * FPS // 30
"""Per second: a frame gets no more of them than at 30 frames a second and 1 Mbit/s."""


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's film of ben, 1280x720, short."""
    demo = load_script("scripts/demo.py")
    monkeypatch.setattr(demo, "FPS", FPS)
    monkeypatch.setattr(demo, "SECONDS", SECONDS)
    monkeypatch.setattr(demo, "open_models", lambda config, on_event: face_models())
    demo.film(tmp_path / "ben.mp4")
    return tmp_path / "ben.mp4"


def encoded_anew(path: Path, to: Path) -> None:
    """As ``ffmpeg -i PATH -c:v libx264 -b:v ... -an TO`` does: pixels alone go on."""
    with av.open(str(path)) as source, av.open(str(to), "w") as target:
        stream = target.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.bit_rate = BITS
        for frame in source.decode(video=0):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="bgr24"), format="bgr24")))
        target.mux(stream.encode(None))


def test_the_demo_is_known_after_it_was_encoded_anew(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = str(resources.files("rtswap").joinpath("assets/personas/ada.jpg"))
    after, sent = tmp_path / "ben_as_ada.mp4", tmp_path / "sent.mp4"
    assert main(["--source", ada, "--input", str(film), "--output", str(after), "-q"]) == 0
    encoded_anew(after, sent)
    assert sent.stat().st_size < 1.3 * BITS / 8 * SECONDS
    capsys.readouterr()
    assert main(["verify", str(sent), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["manifest"] is None
    assert found["marked_windows"] == found["windows"] == 1
    assert found["false_positive"] < 1e-12
    assert (found["payload"]["version"], found["payload"]["month"]) == expected()
    assert main(["verify", str(film)]) == 3


def expected() -> tuple[object, object]:
    said = payload()
    return ".".join(map(str, said.version)), f"{2026 + said.month // 12}-{said.month % 12 + 1:02d}"
