"""Pictures are written whole, numbered by their index, and never over one that was there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_files import mark_picture, number_of

from rtswap.core.errors import OutputError, RtswapError, UsageError
from rtswap.core.types import MarkedImage
from rtswap.media.outputs.image import ImageOutput


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".avif", ".bmp", ".tif"])
def test_one_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Grüße{suffix}"
    output = ImageOutput(path)
    output.send(mark_picture(77))
    output.close()
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert number_of(image) == 77
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_png_is_the_same_to_the_bit(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (31, 17, 3), np.uint8)
    ImageOutput(tmp_path / "a.png").send(MarkedImage(image, 0, 0.0))
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png")), image)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("out_%05d.png", ["out_00000.png", "out_00007.png", "out_00123.png"]),
        ("%d.jpg", ["0.jpg", "123.jpg", "7.jpg"]),
        ("folder", ["00000.png", "00007.png", "00123.png"]),
    ],
)
def test_numbered_pictures(tmp_path: Path, name: str, expected: list[str]) -> None:
    output = ImageOutput(tmp_path / name)
    for index in (0, 7, 123):
        output.send(mark_picture(index))
    folder = tmp_path / "folder" if name == "folder" else tmp_path
    assert sorted(p.name for p in folder.iterdir()) == expected
    assert number_of(cv2.imread(str(folder / expected[-1]))) in (7, 123)


def test_a_second_picture_for_one_name(tmp_path: Path) -> None:
    output = ImageOutput(tmp_path / "a.png")
    output.send(mark_picture(1))
    with pytest.raises(OutputError, match="a_%05d"):
        output.send(mark_picture(2))
    assert number_of(cv2.imread(str(tmp_path / "a.png"))) == 1


def test_existing_pictures_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"precious")
    (tmp_path / "b_00001.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        ImageOutput(tmp_path / "a.png")
    numbered = ImageOutput(tmp_path / "b_%05d.png")
    numbered.send(mark_picture(0))
    with pytest.raises(OutputError, match="--overwrite"):
        numbered.send(mark_picture(1))
    assert (tmp_path / "b_00001.png").read_bytes() == b"precious"
    ImageOutput(tmp_path / "a.png", overwrite=True).send(mark_picture(5))
    assert number_of(cv2.imread(str(tmp_path / "a.png"))) == 5


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("a.xyz", UsageError, r"\.png"),
        ("%d_%d.png", UsageError, "one"),
        ("nowhere/a.png", OutputError, "mkdir -p"),
        ("nowhere/deep/", OutputError, "mkdir -p"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, error: type[RtswapError], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        ImageOutput(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = ImageOutput(tmp_path / "a.png")

    def full(part: Path, target: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OutputError, match="No space left"):
        output.send(mark_picture(1))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_no_format_can_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot encode"):
        ImageOutput(tmp_path / "a.webp").send(MarkedImage(np.zeros((4, 20_000, 3), np.uint8), 0, 0.0))


def test_a_folder_keeps_the_names_of_picture_files(tmp_path: Path) -> None:
    output = ImageOutput(tmp_path / "out")
    (tmp_path / "in").mkdir()
    names = [
        "a.jpg",
        "a.png",
        "b.heic",
        "b.png",
        "c.gif",
        "C.jp2",
        "Grüße [1].webp",
        "d.bmp",
        "e.heic",
        "e.heic.png",
    ]
    for name in names:
        (tmp_path / "in" / name).touch()
    for index, name in enumerate(names):
        output.send(replace(mark_picture(index), path=tmp_path / "in" / name))
    expected = ["a.jpg", "a.png", "b.heic.png", "b.png", "c.png", "C.jp2.png", *names[6:8], "e.png", "e.heic.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(expected)
    for index, name in enumerate(expected):
        data = (tmp_path / "out" / name).read_bytes()
        assert number_of(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) == index


def test_only_a_folder_keeps_names(tmp_path: Path) -> None:
    ImageOutput(tmp_path / "out_%03d.png").send(replace(mark_picture(4), path=Path("in/a.jpg")))
    assert [path.name for path in tmp_path.iterdir()] == ["out_004.png"]


def test_a_folder_that_cannot_be_made_is_answered_by_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="Create its parent folder first"):
        ImageOutput(tmp_path / "absent" / "out")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"Permission denied\. Choose another folder"):
        ImageOutput(tmp_path / "out")
