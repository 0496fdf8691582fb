"""A head that is held sideways for two seconds ends no session; a session that fails leaves no cut-off file under the
final name."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_files import make_clip
from staged_scenes import Pose, Scene, Shot, bareness, frames

from rtswap.commands.main import main

FPS = 10
UPRIGHT, SIDEWAYS = 5, 20
"""Frames: half a second, and two seconds."""
BARE = 0.65


def sideways(roll: float, turning: int) -> Scene:
    """Ben upright, then with his head at ``roll`` degrees, reached within so many frames, then upright again."""
    held = [roll * min((n + 1) / turning, 1) for n in range(SIDEWAYS)]
    rolls = [*[0.0] * UPRIGHT, *held, *[0.0] * UPRIGHT]
    return Scene("", tuple(Shot((Pose("ben", roll=one),)) for one in rolls), fps=FPS)


def recorded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("roll", "turning"), [(90, 1), (-90, 4)])
def test_a_head_at_90_degrees_for_two_seconds_ends_nothing(roll: float, turning: int, tmp_path: Path) -> None:
    pictures, faces = zip(*frames(sideways(roll, turning)), strict=True)
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    make_clip(film, list(pictures), fps=FPS)
    args = ["-s", "persona:vera", "-i", str(film), "-o", str(out), "-o", f"{tmp_path}/shown/", "-q"]
    assert main(args) == 0
    given = recorded(film)
    assert len(recorded(out)) == len(given) == len(pictures)
    shown = [cv2.imread(str(path)) for path in sorted((tmp_path / "shown").iterdir())]
    bare = [bareness(before, after, face) for before, after, (face,) in zip(given, shown, faces, strict=True)]
    assert max(bare) < BARE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "out.mp4", "shown"]


def test_a_run_that_fails_does_not_give_its_file_the_final_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene("", (*[Shot((Pose("ben"),))] * 12, *[Shot(())] * 3), fps=FPS)
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    make_clip(film, [picture for picture, _ in frames(scene)], fps=FPS)
    args = ["-s", "persona:vera", "-i", str(film), "-o", str(out), "--on-failure", "stop"]
    assert main(args) == 1
    told = capsys.readouterr().err
    assert "the face was lost" in told
    assert "out.partial.mp4" in told
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.partial.mp4"]
    assert 10 <= len(recorded(tmp_path / "out.partial.mp4")) <= 12
