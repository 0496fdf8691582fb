"""Animated pictures are read frame by frame, with the durations that they state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_files import make_animation, mark_picture, number_of
from PIL import Image as Pillow

from rtswap.core.errors import InputError
from rtswap.core.parts import OutputRequest
from rtswap.media.inputs import open_input
from rtswap.media.inputs.animation import AnimationInput
from rtswap.media.inputs.image import ImageInput
from rtswap.media.outputs.video import VideoWriter
from rtswap.vision.images import read_image


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.apng", "a.webp", "a.avif", "without_suffix.gif"])
def test_every_frame_at_its_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    make_animation(path, 6, duration_ms=[40, 40, 40, 200, 40, 40])
    if name.startswith("without"):
        path = path.rename(tmp_path / "a")
    found = open_input(str(path))
    assert isinstance(found, AnimationInput)
    assert (found.info.frame_count, round(found.info.fps), found.info.live) == (6, 25, False)
    frames = list(found.frames())
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert np.allclose([frame.time_s for frame in frames], [0, 0.04, 0.08, 0.12, 0.32, 0.36])
    assert np.allclose([frame.duration_s or 0 for frame in frames], [0.04, 0.04, 0.04, 0.2, 0.04, 0.04])
    assert number_of(read_image(path)) == 0, "as a source: the first frame"


@pytest.mark.parametrize("suffix", [".webp", ".apng"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_animation_that_was_turned_is_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    """It lay on its side: EXIF was read of still pictures alone."""
    exif = Pillow.Exif()
    exif[0x112] = orientation
    upright = Pillow.new("RGB", (64, 32), "white")
    upright.paste("red", (0, 0, 32, 32))
    turned = [
        picture.rotate({1: 0, 3: 180, 6: 90, 8: -90}[orientation], expand=True)
        for picture in (upright, upright.point(lambda value: value // 2))
    ]
    turned[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=turned[1:], exif=exif, duration=40)
    animation = AnimationInput(tmp_path / f"a{suffix}")
    assert (animation.info.width, animation.info.height) == (64, 32)
    for frame in animation.frames():
        assert frame.image.shape == (32, 64, 3)
        assert frame.image[16, 16, 0] < 40 < frame.image[16, 48, 0], "red on the left"


@pytest.mark.parametrize("suffix", [".gif", ".apng"])
@pytest.mark.parametrize("plays", [0, 1, 3, 65_536])
def test_an_animation_is_played_as_often_as_before(tmp_path: Path, suffix: str, plays: int) -> None:
    """Each was played without end."""
    pictures = [Pillow.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    repeats = {} if plays == 1 else {"loop": max(0, plays - 1)}
    said = repeats if suffix == ".gif" else {"loop": plays}
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **said)
    info = AnimationInput(path).info
    assert info.plays == plays
    writer = VideoWriter(out, OutputRequest(fps=10, plays=info.plays))
    for index in range(2):
        writer.send(mark_picture(index, time_s=index / 10))
    writer.close()
    assert AnimationInput(out).info.plays in {plays, min(plays, 65_535)}


def test_transparent_places_become_white_with_a_message(tmp_path: Path) -> None:
    clear = Pillow.new("RGBA", (20, 10), (255, 0, 0, 0))
    clear.paste((0, 0, 200, 255), (0, 0, 10, 10))
    clear.save(tmp_path / "a.webp", save_all=True, append_images=[clear.rotate(180)], lossless=True)
    events: list[str] = []
    frames = list(AnimationInput(tmp_path / "a.webp", on_event=events.append).frames())
    assert np.all(frames[0].image[:, 12:] == 255)
    assert np.all(frames[0].image[:, :8] == (200, 0, 0))
    assert events == [f"{tmp_path / 'a.webp'}: transparency is not kept; transparent places become white"]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_what_is_hidden_under_transparent_places_of_a_picture_is_not_shown(tmp_path: Path, suffix: str) -> None:
    pixels = np.full((20, 30, 4), (200, 0, 0, 255), np.uint8)
    pixels[:, 10:] = (0, 255, 0, 0)
    pixels[:, 20:] = (0, 0, 0, 127)
    turned = Pillow.Exif()
    turned[0x0112] = 6
    path, events = tmp_path / f"a{suffix}", list[str]()
    Pillow.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(path, exif=turned, lossless=True)
    (frame,) = ImageInput(path, on_event=events.append).frames()
    assert frame.image.shape == (20, 30, 3)
    assert np.all(frame.image[:, :10] == (0, 0, 200))
    assert np.all(frame.image[:, 10:20] == 255)
    assert np.all(np.abs(frame.image[:, 20:].astype(int) - 128) <= 1)
    assert events == [f"{path}: transparency is not kept; transparent places become white"]


def test_an_opaque_picture_with_an_alpha_channel_is_not_reported(tmp_path: Path) -> None:
    events: list[str] = []
    Pillow.new("RGBA", (20, 10), (9, 9, 9, 255)).save(tmp_path / "opaque.png")
    list(ImageInput(tmp_path / "opaque.png", on_event=events.append).frames())
    assert not events


def test_a_frame_without_a_duration_lasts_as_in_browsers(tmp_path: Path) -> None:
    make_animation(tmp_path / "a.gif", 3, duration_ms=0)
    frames = list(AnimationInput(tmp_path / "a.gif").frames())
    assert np.allclose([frame.time_s for frame in frames], [0, 0.1, 0.2])


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.avif"])
def test_a_damaged_animation_gives_its_readable_frames_or_one_line(tmp_path: Path, name: str) -> None:
    make_animation(tmp_path / name, 8)
    data = (tmp_path / name).read_bytes()
    for keep in range(20, len(data), len(data) // 9):
        for rest in (b"", bytes(len(data) - keep)):
            (tmp_path / name).write_bytes(data[:keep] + rest)
            try:
                read = list(open_input(str(tmp_path / name)).frames())
            except InputError:
                continue
            assert all(frame.image.shape == (48, 64, 3) for frame in read)
