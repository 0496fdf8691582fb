"""Every picture with a swapped face carries a mark, however small it is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mark_reading import is_film_marked, is_marked
from people import group

from rtswap.app.config import Config
from rtswap.app.marking import make_disclosure
from rtswap.app.sections import BadgeConfig, MarksConfig
from rtswap.commands.reports.marked_sheet import mark_sheet, save_sheet
from rtswap.commands.verify.run import verify
from rtswap.core.errors import OutputError
from rtswap.core.parts import OutputRequest
from rtswap.core.types import Frame, MarkedImage
from rtswap.disclosure import Disclosure
from rtswap.disclosure.watermark import LEAST_PIXELS, LEAST_SIDE
from rtswap.media.fitting import Fitter
from rtswap.media.outputs import virtual_camera
from rtswap.media.outputs.stream import NetworkOutput
from rtswap.media.outputs.video import VideoWriter
from rtswap.media.outputs.virtual_camera import VirtualCamera
from rtswap.training.pictures import write_sheet
from rtswap.vision.images import read_image
from rtswap.web.viewer import resize

HIDDEN = Config(badge=BadgeConfig(hide=True))
LEAST_WIDTH = 64
"""Of a preview."""
SIZES = [(16, 16), (64, 48), (158, 158), (159, 2000), (2000, 159), (LEAST_SIDE, LEAST_SIDE), (1280, 720)]


def changed(config: Config, size: tuple[int, int]) -> int:
    """Pixels that differ after marking."""
    disclosure = make_disclosure(config, lambda event: None)
    plain = np.full((size[1], size[0], 3), 90, np.uint8)
    image = plain.copy()
    disclosure.mark(image, frame=Frame(image, 0, 0.0), swapped=1, stages={})
    return int((image != plain).any(axis=2).sum())


@pytest.mark.parametrize("size", SIZES)
def test_no_badge_leaves_no_picture_without_a_mark(size: tuple[int, int]) -> None:
    assert changed(HIDDEN, size) > 20


def test_small_pictures_get_the_badge_also_from_a_gpu() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    frame = torch.full((158, 158, 3), 90, dtype=torch.uint8)
    make_disclosure(HIDDEN, lambda event: None).stamp.apply_on_gpu(frame)
    assert int((frame != 90).any(2).sum()) > 20


def test_large_pictures_get_no_badge_where_it_is_hidden() -> None:
    disclosure = make_disclosure(HIDDEN, lambda event: None)
    assert disclosure.stamp.badge is None
    image = np.full((LEAST_PIXELS // 400, 400, 3), 90, np.uint8)
    disclosure.mark(image, frame=Frame(image, 0, 0.0), swapped=1, stages={})
    assert np.abs(image.astype(int) - 90).max() < 20, "the invisible mark alone"


def test_a_reason_that_was_written_down_is_the_only_way_out() -> None:
    research = replace(HIDDEN, marks=MarksConfig(unmarked=True, reason="a study"))
    assert changed(research, (158, 158)) == 0


def test_marks_of_small_pictures_are_reported() -> None:
    told: list[str] = []
    make_disclosure(HIDDEN, told.append)
    assert "below 160 pixels" in told[0]


@pytest.mark.parametrize("name", ["ada", "vera", "carl"])
@pytest.mark.parametrize("side", [LEAST_SIDE, 200, math.ceil(LEAST_PIXELS**0.5)])
def test_a_single_picture_has_the_badge_or_a_mark_that_is_found(name: str, side: int) -> None:
    image = np.asarray(cv2.resize(group(name, size=720), (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    plain = image.copy()
    disclosure = make_disclosure(HIDDEN, lambda event: None)
    disclosure.mark(image, frame=Frame(image, 0, 0.0), swapped=1, stages={})
    badge = int(np.abs(image.astype(int) - plain).max()) > 50
    assert badge or is_marked([image])


def test_pictures_without_a_mark_have_a_reason() -> None:
    """Wherever they are made: the one class that lets pictures leave asks for it."""
    with pytest.raises(ValueError, match="need a reason"):
        Disclosure(None)


def hidden(size: tuple[int, int]) -> MarkedImage:
    """A picture of a person, whose only mark is the invisible one unless it is small."""
    image = np.asarray(cv2.resize(group("ada", size=720), size), np.uint8)
    disclosure = make_disclosure(HIDDEN, lambda event: None)
    return disclosure.mark(image, frame=Frame(image, 0, 0.0), swapped=1, stages={})


@pytest.mark.parametrize(("size", "share"), [((1280, 720), 1.0), ((720, 1280), 0.5), ((400, 400), 0.5)])
def test_no_viewer_is_sent_a_picture_so_small_that_its_mark_is_lost(size: tuple[int, int], share: float) -> None:
    """As the address of a preview asks for, and where the machine is slow."""
    small = resize(hidden(size), LEAST_WIDTH, share)
    assert min(small.image.shape[:2]) < min(size)
    assert is_marked([small.image])
    badge = make_disclosure(Config(), lambda event: None)
    image = hidden(size).image
    marked = badge.mark(image, frame=Frame(image, 0, 0.0), swapped=1, stages={})
    assert resize(marked, LEAST_WIDTH).image.shape[1] == LEAST_WIDTH, "the badge is there"


def test_a_stream_that_began_small_does_not_shrink_a_mark_away() -> None:
    fitter = Fitter(hidden((100, 100)).image)
    large = hidden((1280, 720))
    with pytest.raises(OutputError, match=r"1280x720 cannot be scaled to 100x100; got no mark"):
        fitter.fit(large.image, large.least_scale)
    small = hidden((90, 90))
    assert fitter.fit(small.image, small.least_scale).shape == (100, 100, 3), "it has the badge"


def test_outputs_end_before_they_shrink_a_mark_away(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    camera = SimpleNamespace(send=taken.append, close=lambda: None, device="/dev/video7")
    monkeypatch.setattr(virtual_camera, "_load", lambda: None)
    monkeypatch.setattr(virtual_camera, "_open", lambda *given: camera)
    for output in (VirtualCamera(fps=25), NetworkOutput("udp://127.0.0.1:9", OutputRequest(fps=25))):
        output.send(hidden((100, 100)))
        with pytest.raises(OutputError, match="cannot be scaled to 100x100"):
            output.send(hidden((1280, 720)))
        output.close()
    assert len(taken) == 1


@pytest.mark.parametrize("suffix", [".mkv", ".gif"])
def test_a_recording_that_began_small_does_not_shrink_a_mark_away(tmp_path: Path, suffix: str) -> None:
    told: list[str] = []
    output = VideoWriter(tmp_path / f"a{suffix}", OutputRequest(fps=25, on_event=told.append))
    output.send(hidden((180, 640)))
    with pytest.raises(OutputError, match="1280x720 cannot be scaled to 180x640"):
        output.send(hidden((1280, 720)))
    output.close()
    assert [file.name for file in tmp_path.iterdir()] == [f"a.partial{suffix}"]
    assert "is not complete" in told[0]


STRONGEST = [
    ("h264", {"crf": 28}, {"crf": 29}),
    ("hevc", {"crf": 28}, {"crf": 29}),
    ("av1", {"crf": 41}, {"crf": 42}),
    ("vp9", {"crf": 37}, {"crf": 38}),
    ("h264", {"bitrate": 500_000}, {"bitrate": 499_000}),
]
"""Codec, and the strongest compression that leaves the mark in 640x480, and one that may not."""


@pytest.mark.parametrize(("codec", "strong", "stronger"), STRONGEST)
def test_no_mark_is_compressed_away(
    tmp_path: Path, codec: str, strong: dict[str, int], stronger: dict[str, int]
) -> None:
    """At CRF 51 and at 60 kbit/s streams and Matroska had no mark at all."""
    pictures = [hidden((640, 480)) for _ in range(30)]
    kept = VideoWriter(tmp_path / "kept.mkv", OutputRequest(fps=25, codec=codec, **strong))
    for picture in pictures:
        kept.send(picture)
    kept.close()
    assert is_film_marked(tmp_path / "kept.mkv")
    refused = OutputRequest(fps=25, codec=codec, **stronger)
    outputs = [VideoWriter(tmp_path / "lost.mkv", refused)]
    outputs += [NetworkOutput("udp://127.0.0.1:9", refused)] if codec == "h264" else []
    for output in outputs:
        with pytest.raises(OutputError, match=r"no mark is left in it.*or the badge.*--no-badge"):
            output.send(pictures[0])
        output.close()
    assert [file.name for file in tmp_path.iterdir()] == ["kept.mkv"]


def test_what_has_the_badge_may_be_compressed(tmp_path: Path) -> None:
    output = VideoWriter(tmp_path / "a.mkv", OutputRequest(fps=25, crf=51))
    output.send(hidden((100, 100)))
    output.close()
    assert (tmp_path / "a.mkv").exists()


def test_the_sheets_of_a_training_are_marked(tmp_path: Path) -> None:
    """They show the swap of two real people, as far as it has been learned."""
    columns = {name: [group(name, size=128)] * 8 for name in ("ada", "ben", "vera")}
    write_sheet(tmp_path / "contact-1.png", columns, beside=2)
    assert verify(tmp_path / "contact-1.png").spans


def test_a_sheet_is_marked_as_a_whole_and_in_its_parts(tmp_path: Path) -> None:
    """Somebody may pass on the sheet, or one picture that is cut out of it."""
    disclosure = make_disclosure(Config(), lambda event: None)
    part = group("ada", size=256)
    disclosure.mark(part, frame=Frame(part, 0, 0.0), swapped=1, stages={})
    sheet = np.full((1000, 1300, 3), 255, np.uint8)
    for x, y in ((37, 50), (311, 60), (590, 47), (900, 69), (43, 380), (333, 390), (610, 401), (905, 411)):
        sheet[y : y + 256, x : x + 256] = part
    assert cv2.imwrite(str(tmp_path / "bare.png"), sheet)
    assert not verify(tmp_path / "bare.png").spans, "the marks of the parts are out of step"
    save_sheet(tmp_path / "whole.png", mark_sheet(sheet, disclosure))
    assert cv2.imwrite(str(tmp_path / "part.png"), read_image(tmp_path / "whole.png")[50:306, 37:293])
    for name in ("whole.png", "part.png"):
        assert verify(tmp_path / name).spans, name
