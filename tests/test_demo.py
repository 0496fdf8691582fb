"""The parts of ``make demo``: the clip plays with sound, nobody is covered, and its picture can be viewed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import av
import cv2
import numpy as np
import pytest
from paths import ROOT
from people import face_models
from scripts_loader import load_script

import rtswap


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, a second long."""
    module = load_script("scripts/demo.py")
    monkeypatch.setattr(module, "SECONDS", 1)
    monkeypatch.setattr(module, "FPS", 10)
    monkeypatch.setattr(module, "open_models", lambda config, on_event: face_models())
    return module


def test_the_film(demo: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "caller.mp4"
    demo.film(path)
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    assert len(frames) == 10
    assert frames[0].shape == (720, 1280, 3)
    assert face_models().detector.detect(frames[5])
    with av.open(str(path)) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert len(sound) == pytest.approx(48_000, abs=2100)
    assert np.abs(sound).max() > 0.05
    after = tmp_path / "before_after.png"
    demo.side_by_side(path, path, ROOT / "rtswap/assets/personas/ada.jpg", after)
    picture = cv2.imread(str(after))
    assert picture.shape == (720, 280 + 2 * 640, 3)


def test_nothing_in_the_film_is_covered(demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is alone: shoulders and the room are no heads."""
    monkeypatch.setattr(demo, "FPS", 30)
    path = tmp_path / "caller.mp4"
    demo.film(path)
    with av.open(str(path)) as file, rtswap.LiveSwap("persona:ada") as live:
        for index, frame in enumerate(file.decode(video=0)):
            done = live.process(frame.to_ndarray(format="bgr24"), captured_at=index / demo.FPS)
            assert (done.swapped, done.covered) == (1, 0), index
