"""What the user types finds the right output, and nothing optional is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rtswap.app import run
from rtswap.app.config import Config
from rtswap.app.io_sections import OutputConfig
from rtswap.core.errors import OutputError, RtswapError, UsageError
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.plugins import built_in
from rtswap.media import outputs
from rtswap.media.outputs import open_output
from rtswap.media.outputs.image import ImageOutput
from rtswap.media.outputs.null import Null
from rtswap.media.outputs.stream import NetworkOutput
from rtswap.media.outputs.video import VideoWriter


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("null", Null),
        (" null ", Null),
        ("udp://127.0.0.1:9", NetworkOutput),
        ("RTMP://127.0.0.1/live/x", NetworkOutput),
        ("out.MP4", VideoWriter),
        ("out.mkv", VideoWriter),
        ("out.mov", VideoWriter),
        ("face.png", ImageOutput),
        ("f_%04d.jpg", ImageOutput),
        ("folder/", ImageOutput),
        (".", ImageOutput),
    ],
)
def test_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, kind: type) -> None:
    monkeypatch.chdir(tmp_path)
    output = open_output(spec, OutputRequest(fps=25))
    assert isinstance(output, kind)
    output.close()


@pytest.mark.parametrize("address", ["sheet:a.png", "sheet:a.mp4", "sheet:folder/"])
def test_a_prefix_counts_for_more_than_a_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Whatever the name of the output's module is: they are found in its order."""
    monkeypatch.chdir(tmp_path)
    sheet = OutputSpec("sheet", "sheet:FILE", lambda given: given.startswith("sheet:"), lambda *_: Null())
    found = (*built_in("rtswap.media.outputs", OutputSpec), sheet)
    monkeypatch.setattr(outputs, "built_in", lambda *_: iter(found))
    assert isinstance(open_output(address), Null)


@pytest.mark.parametrize("spec", ["", "out", "out.xyz", "vcamera", "windows", "nul", "\0", "x" * 5000, "-", "0"])
def test_an_unknown_output_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RtswapError) as error:
        open_output(spec, OutputRequest(fps=25))
    assert isinstance(error.value, UsageError)
    assert all(word in str(error.value) for word in ("vcam", "window", "null", ".mp4", ".png", "URL"))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_options_reach_the_recording(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_bytes(b"x")
    with pytest.raises(OutputError, match="exists"):
        open_output(str(tmp_path / "o.mp4"), OutputRequest(fps=25))
    open_output(str(tmp_path / "o.mp4"), OutputRequest(fps=25, overwrite=True)).close()
    with pytest.raises(UsageError, match="codec"):
        open_output(str(tmp_path / "p.mp4"), OutputRequest(fps=25, codec="nonsense"))


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from rtswap.media.outputs import open_output; open_output('null')\n"
        "print([m for m in ('av', 'pyvirtualcam') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("spec", ["out.xyz", "out.webm", "gopher://x/y", "taken.mp4"])
def test_unwritable_outputs_are_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.mp4").write_bytes(b"x")
    monkeypatch.setattr(run, "Program", lambda *args, **options: pytest.fail("loaded"))
    config = replace(Config(), output=OutputConfig(to=(spec,), codec="hevc"))
    with pytest.raises(RtswapError, match=r"unknown output|cannot hold hevc|cannot stream|already exists"):
        run.run(config, SimpleNamespace(event=pytest.fail))  # type: ignore[arg-type]
    assert [one.name for one in tmp_path.iterdir()] == ["taken.mp4"]


@pytest.mark.parametrize(
    ("address", "do"), [("swapped", "For a folder write swapped/."), ("out.xyz", "See `rtswap --help`")]
)
def test_an_unknown_output_comes_with_advice(address: str, do: str) -> None:
    with pytest.raises(UsageError, match=do):
        open_output(address, OutputRequest())
