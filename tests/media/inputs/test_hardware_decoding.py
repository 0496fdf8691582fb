"""``--hwaccel`` and ``--codec h264_nvenc``: the same pictures with a GPU's chips, and a plain word where there are
none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_files import all_numbers, make_clip, mark_picture, read_back

from rtswap.app.config import Config
from rtswap.app.config_file import effective
from rtswap.commands.main import main
from rtswap.core.errors import ConfigError, InputError, OutputError
from rtswap.core.parts import InputRequest, OutputRequest
from rtswap.engines.starting import why_no_gpu
from rtswap.media import hardware_decoding
from rtswap.media.encoding import ON_HARDWARE, encoder_name
from rtswap.media.inputs import open_input
from rtswap.media.inputs.video import VideoFile
from rtswap.media.outputs.video import VideoWriter


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    make_clip(path, 12, size=(320, 240))
    return path


def pictures(path: Path, hwaccel: str, events: list[str]) -> list[np.ndarray]:
    return [frame.image for frame in VideoFile(path, hwaccel=hwaccel, on_event=events.append).frames()]


@pytest.mark.parametrize("hwaccel", ["auto", "cuda"])
def test_every_picture_arrives_with_every_decoder(clip: Path, hwaccel: str) -> None:
    events: list[str] = []
    found = pictures(clip, hwaccel, events)
    assert all_numbers(found) == list(range(12))
    for image, truth in zip(found, pictures(clip, "none", []), strict=True):
        assert np.abs(image.astype(int) - truth).mean() < 2
    assert len(events) <= (hwaccel == "cuda")


@pytest.mark.parametrize("why", ["no decoders", "no device", "no decoder for this codec"])
def test_without_such_a_chip_the_processor_decodes_and_says_so(
    clip: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyAV itself says no: of a device it was not built with, one that cannot be opened, a codec it lacks."""
    device, says = {
        "no decoders": ("dxva2", "this FFmpeg was built without NVIDIA GPU decoders"),
        "no device": ("opencl", "cannot open an NVIDIA GPU decoder"),
        "no decoder for this codec": ("vaapi", "the GPU has no decoder for h264"),
    }[why]
    monkeypatch.setattr(hardware_decoding, "DEVICE", device)
    if why != "no decoders":
        monkeypatch.setattr(hardware_decoding, "hwdevices_available", lambda: [device])
    if why == "no device":
        monkeypatch.setattr(hardware_decoding, "HWAccel", broken)
    events: list[str] = []
    assert all_numbers(pictures(clip, "cuda", events)) == list(range(12))
    (event,) = events
    assert f"decoding {clip} on the CPU: " in event
    assert says in event
    assert "\n" not in event
    events.clear()
    assert all_numbers(pictures(clip, "auto", events)) == list(range(12))
    assert events == []


def broken(device: str) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_no_gpu_is_used_unless_requested(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtswap.media.inputs.video.open_on_gpu", broken)
    assert all_numbers(pictures(clip, "none", [])) == list(range(12))
    assert Config().input.hwaccel == "none"


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 5000])
def test_a_file_that_is_not_a_video_gives_the_usual_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    said = []
    for hwaccel in ("none", "cuda"):
        with pytest.raises(InputError) as caught:
            open_input(str(path), InputRequest(hwaccel=hwaccel))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_the_setting_accepts_only_its_values(tmp_path: Path) -> None:
    file = tmp_path / "rtswap.toml"
    file.write_text('[input]\nhwaccel = "auto"\n')
    assert effective({}, file=str(file)).config.input.hwaccel == "auto"
    file.write_text('[input]\nhwaccel = "vulkan"\n')
    with pytest.raises(ConfigError, match="one of none, auto, cuda"):
        effective({}, file=str(file))


@pytest.mark.parametrize("name", ["h264_nvenc", "hevc_nvenc"])
def test_an_encoder_without_its_chip_is_refused_before_anything_is_recorded(name: str, tmp_path: Path) -> None:
    if not why_no_gpu():
        pytest.skip("there is such a chip")
    assert name.endswith(ON_HARDWARE)
    with pytest.raises(OutputError, match=f"the encoder {name} does not start on this machine.*--codec h264"):
        encoder_name(name)
    with pytest.raises(OutputError, match="does not start"):
        VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=30, codec=name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.cuda
@pytest.mark.parametrize("live", [True, False])
def test_a_gpu_writes_and_reads_what_the_processor_does(live: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, OutputRequest(fps=25, codec="h264_nvenc", live=live))
    for index in range(30):
        writer.send(mark_picture(index, (320, 240), time_s=index / 25))
    writer.close()
    assert read_back(path)[0] == list(range(30))
    events: list[str] = []
    assert all_numbers(pictures(path, "cuda", events)) == list(range(30))
    assert events == []


def test_the_flag_reaches_the_file(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not why_no_gpu():
        pytest.skip("there is a GPU")
    words = ["--source", "persona:ada", "-i", str(clip), "-o", "null", "--hwaccel", "cuda"]
    assert main(words) == 0
    assert f"decoding {clip} on the CPU: cannot open an NVIDIA GPU decoder" in capsys.readouterr().err
