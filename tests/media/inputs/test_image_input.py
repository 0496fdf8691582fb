"""One picture or a folder of them, in the order a person would put them; damaged ones are left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import all_numbers, numbered_picture
from PIL import Image as Pillow

from rtswap.core.errors import InputError
from rtswap.core.files import natural_key
from rtswap.core.parts import InputRequest
from rtswap.media.inputs import open_input
from rtswap.media.inputs.image import ImageInput


def fill(folder: Path, names: list[str]) -> None:
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), numbered_picture(index))


def test_one_picture(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png"])
    picture = ImageInput(tmp_path / "a.png")
    assert (picture.info.width, picture.info.height, picture.info.live, picture.info.frame_count) == (
        64,
        48,
        False,
        1,
    )
    assert [(f.index, f.time_s) for f in picture.frames()] == [(0, 0.0)]


def test_a_folder_in_natural_order(tmp_path: Path) -> None:
    names = ["1.png", "2.png", "10.png", "Shot 2.JPG", "shot 10.jpg", "shot 11.PNG"]
    fill(tmp_path, names)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    folder = ImageInput(tmp_path)
    assert folder.info.frame_count == 6
    frames = list(folder.frames())
    assert all_numbers(f.image for f in frames) == list(range(6))
    assert [f.time_s for f in frames] == [i / 25 for i in range(6)]


@pytest.mark.parametrize("name", ["img_%d.png", "img_%04d.png", "img_*.png", "img_?*.png"])
def test_numbered_pictures_of_a_folder_that_has_others(tmp_path: Path, name: str) -> None:
    fill(tmp_path, ["img_8.png", "img_9.png", "img_0010.png", "other_1.png", "img_1.bmp"])
    found = open_input(str(tmp_path / name), InputRequest(pictures_fps=30.0))
    assert isinstance(found, ImageInput)
    assert [path.name for path in found.paths] == ["img_8.png", "img_9.png", "img_0010.png"]
    assert found.info.fps == 30.0
    assert [frame.time_s for frame in found.frames()] == [i / 30 for i in range(3)]


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([1, 2, 3, 4], ""),
        ([1, 2, 3, 5, 6], "number 4 is missing"),
        ([8, 9, 10, 13, 14, 15, 17], "3 numbers are missing, the first is 11"),
        ([10, 20, 30, 50], "number 40 is missing"),
        ([1000, 1033, 1067, 1100], ""),
        ([3, 70, 81, 500], ""),
        ([1, 3], ""),
    ],
)
def test_numbers_that_are_missing_are_told(tmp_path: Path, numbers: list[int], missing: str) -> None:
    """A film of numbered pictures came out shorter without a word, and out of step with its sound."""
    fill(tmp_path, [f"img_{number:04d}.png" for number in numbers])
    events: list[str] = []
    assert len(list(ImageInput(tmp_path / "img_%04d.png", on_event=events.append).frames())) == len(numbers)
    path = tmp_path / "img_%04d.png"
    assert events == ([f"{path}: {missing}; the pictures follow each other without"] if missing else [])
    ImageInput(tmp_path / "img_*.png", on_event=pytest.fail)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    fill(tmp_path, ["img_%d.png", "img_1.png", "[ab].png", "a.png"])
    for name in ("img_%d.png", "[ab].png"):
        found = open_input(str(tmp_path / name))
        assert isinstance(found, ImageInput)
        assert [path.name for path in found.paths] == [name]


def test_what_is_not_kept_of_a_picture_is_told(tmp_path: Path) -> None:
    page, thumbnail = Pillow.new("RGB", (30, 20)), Pillow.new("RGB", (3, 2))
    taken, turned = Pillow.Exif(), Pillow.Exif()
    taken[271], turned[0x0112] = "a make", 1
    page.save(tmp_path / "1.tif", save_all=True, append_images=[page, page])
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(tmp_path / "2.tif", save_all=True, append_images=[thumbnail])
    page.save(tmp_path / "3.jpg", exif=taken)
    page.save(tmp_path / "4.jpg", exif=turned)
    page.save(tmp_path / "5.mpo", save_all=True, append_images=[page])
    two = (tmp_path / "5.mpo").read_bytes()
    at = two.index(b"\xff\xd8", 2) + 2  # its second picture is a map of the light of HDR
    comment = b"\xff\xfe\0\x1bApple's hdrgainmap of it.."
    (tmp_path / "6.jpg").write_bytes(two[:at] + comment + two[at:])
    page.save(tmp_path / "7.jpg", xmp=b'<x GCamera:MotionPhoto="1"/>')
    page.save(tmp_path / "8.jpg")
    with (tmp_path / "8.jpg").open("ab") as file:
        file.write(b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data\0\0\0\x18ftypmp42")
    told = {
        "1.tif": ["only the first of its 3 pictures is read"],
        "2.tif": [],
        "3.jpg": ["EXIF data (camera, time, place) is not kept"],
        "4.jpg": [],
        "5.mpo": ["only the first of its 2 pictures is read"],
        "6.jpg": [],
        "7.jpg": ["the video of this motion photo is not read"],
        "8.jpg": ["the video of this motion photo is not read"],
    }
    for name, losses in told.items():
        events: list[str] = []
        list(ImageInput(tmp_path / name, on_event=events.append).frames())
        assert events == [f"{tmp_path / name}: {loss}" for loss in losses]


def test_of_a_folder_each_loss_is_told_once(tmp_path: Path) -> None:
    events: list[str] = []
    for name in ("a.png", "b.png", "c.png"):
        Pillow.new("RGBA", (30, 20), (0, 0, 0, 0)).save(tmp_path / name)
    list(ImageInput(tmp_path, on_event=events.append).frames())
    assert [event.partition(":")[0] for event in events] == [str(tmp_path / "a.png")]
    assert events[0].endswith("; other pictures like it are not named")


def test_damaged_pictures_are_skipped_counted_and_named(tmp_path: Path) -> None:
    fill(tmp_path, ["0.png", "1.png", "2.png", "3.png"])
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:50])
    events: list[str] = []
    folder = ImageInput(tmp_path, on_event=events.append)
    frames = list(folder.frames())
    assert all_numbers(f.image for f in frames) == [1, 3]
    assert [f.index for f in frames] == [0, 1]
    assert folder.skipped == 2
    assert any("0.png" in e for e in events)
    assert any("2.png" in e for e in events)
    assert events[-1].endswith("2 files skipped, 2 images read")


@pytest.mark.parametrize("names", [[], ["a.png", "b.jpg"]])
def test_nothing_readable_is_an_error(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(InputError, match="no pictures or videos" if not names else "no readable picture"):
        ImageInput(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("a.NEF", b"II*\0", "a camera's raw picture"), ("a.psd", b"8BPS", "a Photoshop document")],
)
def test_a_folder_of_pictures_of_other_kinds_is_not_called_empty(
    tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    """Whose folder was full of a camera's raw pictures read that there were no pictures in it."""
    (tmp_path / "more").mkdir()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"that rtswap reads; got {kind} \({name}\)\. Convert"):
        ImageInput(tmp_path)


def test_one_damaged_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"a\.png"):
        ImageInput(tmp_path / "a.png")


@settings(max_examples=30)
@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    sorted((Path("x") / f"_{n}".replace("/", "") for n in names), key=natural_key)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_numbers_in_names_sort_as_numbers(numbers: list[int]) -> None:
    paths = [Path(f"frame_{n}.png") for n in numbers]
    assert sorted(paths, key=natural_key) == [Path(f"frame_{n}.png") for n in sorted(numbers)]
