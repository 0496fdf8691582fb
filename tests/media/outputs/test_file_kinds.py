"""Every kind of file that can be written plays, with the index first, the right tags and the right times."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from media_files import mark_picture, read_back

from rtswap.core.errors import UsageError
from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
from rtswap.media.faststart import move_index
from rtswap.media.outputs.video import VideoWriter

CODECS = [(".avi", "mpeg4"), (".avi", "mjpeg"), (".webm", "av1"), (".mkv", "mjpeg")]


def write(path: Path, *, count: int = 20, codec: str = "h264", live: bool = False) -> Path:
    writer = VideoWriter(path, OutputRequest(fps=25, codec=codec, live=live))
    for index in range(count):
        writer.send(mark_picture(index, time_s=index / 25))
    writer.close()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return path


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".webm", "vp9"), (".avi", "h264"), (".gif", "gif"), (".apng", "apng"), (".mkv", "h264"), (".mov", "h264")],
)
def test_kinds_and_their_codecs(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write(tmp_path / f"out{suffix}")
    numbers, times = read_back(path)
    assert numbers == list(range(20))
    assert np.diff(times) == pytest.approx([0.04] * 19, abs=2e-3)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == codec


@pytest.mark.parametrize(("suffix", "codec"), CODECS)
def test_other_codecs_of_a_kind(tmp_path: Path, suffix: str, codec: str) -> None:
    writer = VideoWriter(tmp_path / f"o{suffix}", OutputRequest(fps=25, codec=codec))
    for index in range(10):
        writer.send(MarkedImage(np.full((96, 128, 3), (40, 90, 180), np.uint8), index, 0.0, index / 25))
    writer.close()
    with av.open(str(tmp_path / f"o{suffix}")) as container:
        images = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(images) == 10
    assert np.abs(images[-1].reshape(-1, 3).mean(axis=0) - (40, 90, 180)).max() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi", ".gif", ".apng"])
@pytest.mark.parametrize("step_s", [0.001, 1 / 240, 0.0], ids=["1000 fps", "240 fps", "at once"])
def test_pictures_that_follow_at_once_are_all_kept(tmp_path: Path, suffix: str, step_s: float) -> None:
    """FFmpeg refused the second of two in the same hundredth of a second in a GIF, which ended the recording."""
    path = tmp_path / f"o{suffix}"
    writer = VideoWriter(path, OutputRequest(fps=30))
    for index in range(12):
        writer.send(mark_picture(index, time_s=index * step_s))
    writer.close()
    assert read_back(path)[0] == list(range(12))


def test_colours_of_a_gif(tmp_path: Path) -> None:
    """256 colours of each frame's own."""
    writer = VideoWriter(tmp_path / "o.gif", OutputRequest(fps=10))
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    images = [
        np.stack([np.tile(ramp, (32, 1)), np.full((32, 64), level, np.uint8), np.tile(ramp[::-1], (32, 1))], -1)
        for level in (20, 130, 240)
    ]
    for index, image in enumerate(images):
        writer.send(MarkedImage(image, index, 0.0, index / 10))
    writer.close()
    with av.open(str(tmp_path / "o.gif")) as container:
        for frame, image in zip(container.decode(video=0), images, strict=True):
            assert np.abs(frame.to_ndarray(format="bgr24").astype(int) - image).mean() < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("live", [False, True])
def test_the_index_comes_first(tmp_path: Path, suffix: str, live: bool) -> None:
    data = write(tmp_path / f"o{suffix}", count=60, live=live).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert read_back(tmp_path / f"o{suffix}")[0] == list(range(60))


def test_a_file_whose_index_cannot_be_moved_is_left_as_it_is(tmp_path: Path) -> None:
    data = write(tmp_path / "o.mp4").read_bytes()
    for name, content in (("first", data), ("cut", data[:-60]), ("none", b""), ("text", b"hello" * 99)):
        (tmp_path / name).write_bytes(content)
        assert not move_index(tmp_path / name, tmp_path / "moved")
        assert not (tmp_path / "moved").exists()


@pytest.mark.parametrize(("suffix", "tag"), [(".mp4", "hvc1"), (".mov", "hvc1")])
def test_apples_players_open_hevc(tmp_path: Path, suffix: str, tag: str) -> None:
    write(tmp_path / f"o{suffix}", codec="hevc")
    with av.open(str(tmp_path / f"o{suffix}")) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


@pytest.mark.parametrize(("suffix", "codec"), [(".webm", "hevc"), (".gif", "av1"), (".avi", "vp9"), (".mov", "av1")])
def test_a_codec_that_does_not_fit_is_refused_before_anything_starts(tmp_path: Path, suffix: str, codec: str) -> None:
    with pytest.raises(UsageError, match=rf"\{suffix} files cannot hold {codec}; expected .*Change --codec"):
        VideoWriter(tmp_path / f"o{suffix}", OutputRequest(fps=25, codec=codec))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "prores"), (".mov", "prores"), (".mov", "png"), (".mkv", "mpeg2video")]
)
def test_an_encoder_that_cannot_be_opened_is_refused_before_anything_starts(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    with pytest.raises(
        UsageError, match=rf"cannot write \{suffix} files with {codec}; expected av1, h264, .* --codec"
    ):
        VideoWriter(tmp_path / f"o{suffix}", OutputRequest(fps=25, codec=codec))
    assert list(tmp_path.iterdir()) == []
