"""``rtswap inspect`` as its user meets it: what is in the folder, and what is not there when it went wrong."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import foreign_models as foreign
import numpy as np
import people
import pytest
from media_files import make_clip
from paths import ROOT
from prepared_sources import ready  # noqa: F401

from rtswap.app import networks
from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.sections import SourceConfig
from rtswap.commands.inspect import rig
from rtswap.commands.inspect.panels import HEAD, LOWEST, Panels
from rtswap.commands.inspect.run import FILES, inspect
from rtswap.commands.main import main
from rtswap.commands.verify.run import verify
from rtswap.core.errors import InputError, OutputError, UsageError
from rtswap.core.types import Image

FRAMES = 8
JUMPED = 4
SHORT = 3
SIZE = (320, 240)


def shifted(x: float) -> Image:
    person = people.move_person(people.person("carl"), 0.42, (20 + x, 10), SIZE)
    return person.portrait


def look(clip: Path, folder: Path, config: Config | None = None, *, overwrite: bool = False) -> dict[str, Any]:
    console = Console(stream=io.StringIO())
    return inspect(str(clip), config or Config(), console=console, folder=str(folder), overwrite=overwrite)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that stands, jumps by about half its width, and stands again."""
    path = tmp_path_factory.mktemp("clip") / "jumping.mp4"
    make_clip(path, [shifted(45.0 if n >= JUMPED else 0.0) for n in range(FRAMES)], fps=30)
    return path


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that stands."""
    path = tmp_path_factory.mktemp("clip") / "short.mp4"
    make_clip(path, [shifted(0.0)] * SHORT, fps=30)
    return path


@pytest.fixture(scope="module")
def looked(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The folder, what was returned, and the report."""
    folder = tmp_path_factory.mktemp("out") / "found"
    summary = look(clip, folder)
    return folder, summary, json.loads((folder / "report.json").read_text())


def test_the_folder_holds_the_four_files_and_nothing_is_left_beside(looked: Any) -> None:
    folder, summary, _ = looked
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["found"]
    assert summary["folder"] == str(folder)


def test_the_annotated_clip_plays_with_every_frame(looked: Any) -> None:
    with av.open(str(looked[0] / "annotated.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == FRAMES
    assert frames[0].height > SIZE[1]


def test_pictures_can_be_read(looked: Any) -> None:
    for name in ("sheet.png", "jitter.png"):
        image = cv2.imread(str(looked[0] / name))
        assert image is not None
        assert image.std() > 10


def test_the_report_says_what_was_in_each_frame(looked: Any) -> None:
    _, summary, report = looked
    assert report["summary"] == {key: value for key, value in summary.items() if key not in ("clip", "folder")}
    assert [frame["frame"] for frame in report["per_frame"]] == list(range(FRAMES))
    assert all(len(frame["faces"]) == 1 for frame in report["per_frame"])
    face = report["per_frame"][3]["faces"][0]
    assert face["presence"] > 0.9
    assert face["visible"] > 0.8
    assert abs(face["yaw"]) < 25
    assert face["mask"] > 0.9
    assert face["swapped"] is True
    expected = people.move_person(people.person("carl"), 0.42, (20, 10), SIZE).landmarks
    middle = np.array([face["x1"] + face["x2"], face["y1"] + face["y2"]]) / 2
    assert np.abs(middle - (expected[:, :2].min(0) + expected[:, :2].max(0)) / 2).max() < 6


def test_a_jump_is_found_and_shown(looked: Any) -> None:
    _, summary, report = looked
    (face,) = summary["faces"].values()
    assert any(JUMPED <= frame <= JUMPED + 1 for frame in face["jumps"])
    assert all(JUMPED <= frame <= JUMPED + 1 for frame in face["jumps"])
    worst = [moment for moment in report["moments"] if moment["kind"] == "jump"]
    assert JUMPED <= worst[0]["frame"] <= JUMPED + 1
    assert "jump" in worst[0]["why"]


def test_with_a_source_the_swap_is_shown_and_labelled(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Image] = []
    draw = Panels.draw

    def noted(self: Panels, *args: Any, mark: Callable[[Image], None], **more: Any) -> Image:
        def marked(image: Image) -> None:
            plain = image.copy()
            mark(image)
            shown.append(cv2.absdiff(plain, image))

        return draw(self, *args, mark=marked, **more)

    monkeypatch.setattr(Panels, "draw", noted)
    photo = ROOT / "rtswap/assets/personas/ben.jpg"
    look(short, tmp_path / "found", Config(source=SourceConfig(photos=(str(photo),))))
    assert len(shown) == SHORT
    assert all(image.max() > 30 for image in shown)  # the badge
    for name in ("annotated.mp4", "sheet.png"):
        assert verify(str(tmp_path / "found" / name)).spans
    assert not verify(str(tmp_path / "found/jitter.png")).spans
    report = json.loads((tmp_path / "found/report.json").read_text())
    assert report["per_frame"][2]["faces"][0]["skin"] is not None
    assert report["source"] == [str(photo)]


def test_a_swapper_whose_face_lies_in_its_network_is_shown_beside_the_frame_without_a_photo(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frame, swap and mask side by side: what other converters call a triple output."""
    monkeypatch.setattr(rig, "open_models", networks.open_models)  # of the engine that runs the DFM
    file, folder = tmp_path / "me.dfm", tmp_path / "found"
    file.write_bytes(foreign.dfm())
    told = [str(short), "--swapper", str(file), "--i-have-consent", "--engine", "onnxruntime", "-o", str(folder)]
    assert main(["inspect", *told]) == 0
    with av.open(str(folder / "annotated.mp4")) as film:
        frames = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    assert len(frames) == SHORT
    high = max(SIZE[1], LOWEST)
    wide = high * SIZE[0] // SIZE[1]
    assert frames[0].shape[1] == 2 * wide + high // 2
    before, swap = (frames[2][HEAD : HEAD + high, k * wide : (k + 1) * wide].astype(int) for k in range(2))
    middle = slice(high // 3, high * 2 // 3), slice(wide // 3, wide * 2 // 3)
    assert np.abs(swap[middle] - before[middle]).mean() > 10, "the face is another"
    assert verify(str(folder / "annotated.mp4")).spans


def test_a_photo_of_a_person_needs_consent(clip: Path, tmp_path: Path) -> None:
    photo = tmp_path / "somebody.png"
    cv2.imwrite(str(photo), people.person("ben").portrait)
    with pytest.raises(UsageError, match="not confirmed"):
        look(clip, tmp_path / "found", Config(source=SourceConfig(photos=(str(photo),))))
    assert not (tmp_path / "found").exists()


def test_a_clip_without_faces_is_shown_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip("empty.mp4", 6, size=(160, 120))
    assert main(["inspect", "empty.mp4", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["frames_with_a_face"] == 0
    assert "no face" in err
    assert sorted(path.name for path in (tmp_path / "empty_inspect").iterdir()) == sorted(FILES)


def test_a_folder_with_results_is_replaced_only_when_wished(tmp_path: Path) -> None:
    clip = tmp_path / "short.mp4"
    make_clip(clip, 3, size=(160, 120))
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "report.json").write_text("mine")
    (folder / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match=r"already exists.*--overwrite"):
        look(clip, folder)
    assert (folder / "report.json").read_text() == "mine"
    look(clip, folder, overwrite=True)
    assert json.loads((folder / "report.json").read_text())["summary"]["frames"] == 3
    assert (folder / "notes.txt").read_text() == "keep"
    assert not list(tmp_path.glob("*.partial*"))


def _missing(folder: Path) -> Path:
    return folder / "absent.mp4"


def _corrupt(folder: Path) -> Path:
    path = folder / "corrupt.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20)
    return path


def _hollow(folder: Path) -> Path:
    path = folder / "hollow.mp4"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("make", [_missing, _corrupt, _hollow])
def test_a_clip_that_cannot_be_read_is_one_error_and_leaves_nothing(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    clip = make(tmp_path)
    with pytest.raises(InputError):
        look(clip, tmp_path / "found")
    assert not (tmp_path / "found").exists()
    assert not list(tmp_path.glob("*.partial*"))


@pytest.mark.parametrize("clip", ["0", "rtsp://host/cam", "/dev/video0"])
def test_cameras_and_streams_are_refused(clip: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="inspect needs a file"):
        inspect(clip, Config(), console=Console(quiet=True), folder=str(tmp_path / "f"), overwrite=False)


def test_no_clip_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect"]) == 2
    assert "rtswap inspect clip.mp4" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["no/such/place", "a_file", "x" * 300])
def test_a_folder_that_cannot_be_made_is_one_error(folder: str, tmp_path: Path) -> None:
    clip = tmp_path / "short.mp4"
    make_clip(clip, 2, size=(160, 120))
    (tmp_path / "a_file").write_text("mine")
    with pytest.raises(OutputError):
        look(clip, tmp_path / folder)
    assert (tmp_path / "a_file").read_text() == "mine"


def test_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tmp_path / "short.mp4"
    make_clip(clip, 6, size=(160, 120))
    draw, drawn = Panels.draw, []

    def interrupted(self: Panels, *args: Any, **more: Any) -> Image:
        drawn.append(1)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return draw(self, *args, **more)

    monkeypatch.setattr(Panels, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        look(clip, tmp_path / "found")
    assert len(drawn) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["short.mp4"]


def test_without_a_clip_the_source_s_photo_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Photo, mask and texture side by side in one picture, and one line of how much was filled."""
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", "--source", "persona:vera"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["persona_vera_inspect.png"]
    picture = cv2.imread("persona_vera_inspect.png")
    assert picture.shape[1] > 3 * 512
    assert "% of the face filled in" in capsys.readouterr().out
    assert main(["inspect", "--source", "persona:vera", "-q"]) == 1, "it exists already"
    assert main(["inspect", "--source", "persona:vera", "-q", "-y"]) == 0
