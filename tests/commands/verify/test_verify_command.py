"""The command ``rtswap verify`` with the real mark."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from bright_marks import PAYLOAD, clip
from media_files import make_clip

from rtswap.commands.main import main
from rtswap.disclosure.certificate import local_identity
from rtswap.disclosure.manifest import ManifestFacts, sign_file
from rtswap.disclosure.watermark import Watermark


@pytest.fixture(scope="module")
def marked_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("marked") / "screen.png"
    rng = np.random.default_rng(5)
    image = cv2.GaussianBlur(rng.integers(0, 255, (360, 640, 3), np.uint8), (0, 0), 6)
    Watermark(PAYLOAD).embed(image)
    cv2.imwrite(str(path), image)
    return path


def test_command_finds_the_true_mark(marked_picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(marked_picture)]) == 0
    assert "MARKED" in capsys.readouterr().out


def test_signed_recording_is_known_after_reencoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest is lost on the way, the mark is not."""
    rng = np.random.default_rng(6)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (400, 700, 3), np.uint8), (0, 0), 8)
    watermark, frames = Watermark(PAYLOAD), []
    for index in range(25):
        frames.append(np.ascontiguousarray(scene[index : index + 360, index : index + 640]))
        watermark.embed(frames[-1])
    make_clip(tmp_path / "clip.mp4", frames)
    sign_file(tmp_path / "clip.mp4", ManifestFacts("0.1.0"), local_identity(tmp_path / "identity"))
    with av.open(str(tmp_path / "clip.mp4")) as file:
        decoded = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    make_clip(tmp_path / "again.mp4", decoded, options={"b": "700000", "preset": "veryfast"})
    for name, has_manifest in (("clip.mp4", True), ("again.mp4", False)):
        assert main(["verify", str(tmp_path / name), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["manifest"] is not None) == has_manifest
        assert found["false_positive"] < 1e-6


def test_command_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip(tmp_path / "clip.mp4", ".")
    assert main(["verify", str(tmp_path / "clip.mp4"), "--json", "--window", "0.5"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["marked"], found["windows"], found["spans"]) == (False, 2, [])


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["gone.mp4"], 1, "no such file"),
        ([], 2, "no file given"),
        (["a.mp4", "--window", "0"], 2, "--window"),
        (["a.mp4", "b.mp4"], 2, "unknown argument"),
        (["a.mp4", "--windw", "2"], 2, "Did you mean --window"),
    ],
)
def test_command_that_cannot_be_done(
    arguments: list[str], code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == code
    shown = capsys.readouterr()
    assert reason in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out
