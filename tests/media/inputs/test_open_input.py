"""What the user types finds the right input, and a typing error is answered with what was probably meant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import make_animation, make_clip, numbered_picture

from rtswap.core.errors import InputError
from rtswap.media.inputs import open_input
from rtswap.media.inputs.animation import AnimationInput
from rtswap.media.inputs.image import ImageInput
from rtswap.media.inputs.video import VideoFile


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_clip(tmp_path / "clip.mp4", 3)
    cv2.imwrite(str(tmp_path / "face.png"), numbered_picture(1))
    (tmp_path / "clip.bin").write_bytes((tmp_path / "clip.mp4").read_bytes())
    (tmp_path / "face").write_bytes((tmp_path / "face.png").read_bytes())
    (tmp_path / "with space").mkdir()
    (tmp_path / "with space" / "a 1.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes())
    cv2.imwrite(str(tmp_path / "one.gif"), numbered_picture(1))
    make_animation(tmp_path / "film.gif", 3)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clip.mp4", VideoFile),
        ("clip.bin", VideoFile),
        ("one.gif", ImageInput),
        ("film.gif", AnimationInput),
        ("face.png", ImageInput),
        ("face", ImageInput),
        ("", ImageInput),
        ("with space/a 1.mp4", VideoFile),
    ],
)
def test_files_and_folders(home: Path, name: str, kind: type) -> None:
    opened = open_input(str(home / name))
    assert isinstance(opened, kind)
    assert len(list(opened.frames())) >= 1


def test_file_url(home: Path) -> None:
    assert isinstance(open_input((home / "with space" / "a 1.mp4").as_uri()), VideoFile)


def test_cameras_and_urls() -> None:
    for spec in ("97", "/dev/video97"):
        with pytest.raises(InputError, match="camera"):
            open_input(spec)
    with pytest.raises(InputError, match=r"rtmp://127\.0\.0\.1:1/live"):
        open_input("rtmp://127.0.0.1:1/live")


def test_a_mistyped_path_suggests_a_similar_one(home: Path) -> None:
    with pytest.raises(InputError, match=r"clpi\.mp4.*Did you mean .*clip\.mp4"):
        open_input(str(home / "clpi.mp4"))
    with pytest.raises(InputError, match="no such file or folder"):
        open_input(str(home / "nowhere" / "x.mp4"))


def test_a_numbered_name_without_pictures_says_so(home: Path) -> None:
    for name in ("frame_%d.png", "frame_%05d.png"):
        with pytest.raises(InputError, match="No picture has such a name with a number"):
            open_input(str(home / name))


@pytest.mark.parametrize("spec", ["", "  ", "\0", "a" * 5000, "~nobody/x", "-1", "1.5", "//", "file://"])
def test_nonsense(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        open_input(spec)
    assert "\n" not in str(error.value)


@settings(max_examples=80, deadline=2000)
@given(
    st.text(alphabet=st.characters(blacklist_characters="/~."), max_size=40).filter(
        lambda s: not s.strip().isdecimal()
    )
)
def test_any_text(text: str) -> None:
    with pytest.raises(InputError):
        open_input(f"/nonexistent/{text}")


def test_nothing_heavy_is_loaded_for_a_name() -> None:
    code = "import sys, rtswap.media.inputs; print('av' in sys.modules, 'rtswap.media.inputs.video' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_a_pipe_is_called_a_pipe(tmp_path: Path) -> None:
    """Also as /dev/stdin or as <(...) of a shell; it would hang in open()."""
    os.mkfifo(tmp_path / "pipe")
    for address in ("-", str(tmp_path / "pipe")):
        with pytest.raises(
            InputError, match=r"rtswap cannot read from a pipe; .*; got .*\. Write the video to a file"
        ):
            open_input(address)
