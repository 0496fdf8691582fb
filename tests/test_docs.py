"""The docs match the program: generated parts are current, links resolve, examples run."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from foreign_models import enhancer, swapper, write
from paths import ROOT
from scripts_loader import load_script

from rtswap.app import option_kinds
from rtswap.app.config_file import read
from rtswap.commands import COMMANDS
from rtswap.core import protocols
from rtswap.core.errors import OutputError, UsageError
from rtswap.core.parts import OutputRequest
from rtswap.core.types import Frame, MarkedImage, Quality, SourceIdentity, SwappedBatch, SwappedFace, Target
from rtswap.disclosure import Disclosure
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.model_store import add
from rtswap.vision.geometry import canonical

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXAMPLES = sorted((ROOT / "docs/examples/rtswap_example").glob("*.py"))


@pytest.mark.parametrize(
    ("page", "write"),
    [
        ("usage.md", "usage"),
        ("dependencies.md", "dependencies"),
        ("responsible-use.md", "responsible_use"),
        ("models.md", "models"),
    ],
)
def test_generated_parts_are_up_to_date(page: str, write: str) -> None:
    make_docs = load_script("scripts/make_docs.py")
    text = (ROOT / "docs" / page).read_text()
    assert getattr(make_docs, write)(text) == text, "run `make docs`"


def test_generated_parts_would_change_with_the_program() -> None:
    make_docs = load_script("scripts/make_docs.py")
    old = "before\n<!-- flags -->\nstale\n<!-- /flags -->\nafter\n"
    new = make_docs.usage(old)
    assert "stale" not in new
    assert "--on-failure" in new
    assert new.startswith("before\n")
    assert new.endswith("after\n")


def test_the_picture_of_the_personas_is_up_to_date() -> None:
    make_docs = load_script("scripts/make_docs.py")
    data = make_docs.PERSONAS.read_bytes()
    assert len(data) <= 150_000
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    drawn = make_docs.draw_people(make_docs.list_personas())
    assert shown.shape == drawn.shape, "run `make docs`"
    assert cv2.blur(cv2.absdiff(shown, drawn), (9, 9)).max() < 40, "run `make docs`"


def test_figures_of_the_marks_are_the_measured_ones() -> None:
    """The page says what the JSON says, and the JSON says that the targets of the mark are met."""
    make_docs = load_script("scripts/make_docs.py")
    found = json.loads((ROOT / "benchmarks/results/marks.json").read_text())
    assert found["chance"]["windows"] >= 10_000
    assert found["chance"]["found"] == 0
    assert found["chance"]["false_positives_per_window"] <= 1e-6
    assert found["quality"]["psnr_db_min"] >= 42
    assert found["quality"]["ssim_min"] >= 0.99
    assert {name for names in make_docs.WAYS.values() for name in names} <= set(found["ways"])
    assert all(row["wrong"] == 0 for row in found["ways"].values())
    windows = [row["found"] for name, row in found["ways"].items() if not name.endswith(", screenshot")]
    assert min(windows) >= 0.99  # a screenshot is one frame
    assert found["cost"]["1280x720"]["min_ms"] <= 1.5
    found["chance"]["score_max"] = 7.77
    assert "7.77" in make_docs.marks_figures(found)
    assert make_docs.power(3.21e-9) == "4 * 10^-9"


def test_pins_meet_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {}
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text().splitlines()
        pins |= dict(line.split("==") for line in lines if line and not line.startswith("#"))
    asked = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *project["optional-dependencies"]["vcam"],
    ]
    for line in asked:
        name, _, version = re.fullmatch(r"([\w.-]+)(>=|==)([\d.]+)", line).groups()  # type: ignore[union-attr]
        pinned = pins[re.sub(r"[-_.]+", "-", name).lower()]
        assert tuple(map(int, pinned.split("."))) >= tuple(map(int, version.split("."))), line
    default = (ROOT / "requirements.txt").read_text()
    assert not re.search(r"torch|tensorrt|pyvirtualcam|insightface|cuda", default)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def lines_of_docs_and_help() -> list[str]:
    """Every command line of rtswap in a block of code of the docs, and in the examples of ``--help``."""
    fences = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    blocks = [block for page in PAGES for kind, block in fences.findall(page.read_text()) if not kind]
    texts = [*blocks, *(command.parser().epilog or "" for command in COMMANDS.values())]
    found = (
        re.findall(r"^ *(?:\.venv/bin/)?rtswap( .*)?$", text.replace("\\\n", " "), re.MULTILINE) for text in texts
    )
    return sorted({line.strip() for lines in found for line in lines})


@pytest.mark.usefixtures("models")
def test_command_lines_of_docs_and_help_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They parse, and none lacks a source or takes a photo for an output."""
    monkeypatch.setattr(option_kinds, "plugin_names", lambda group: ("paper-mask", "old-film"))
    for path in write(tmp_path, inswapper_128=swapper("inswapper"), **{"gfpgan_1.4": enhancer()}).values():
        add(path)
    monkeypatch.chdir(tmp_path)
    for trained in ("runs/me/me.dfm", "runs/any/any.rtswap"):
        Path(trained).parent.mkdir(parents=True)
        Path(trained).touch()
    wrong = []
    for line in lines_of_docs_and_help():
        words = shlex.split(re.split(r"  | [|>#]", line)[0])
        name = words[0] if words and words[0] in COMMANDS else ""
        try:
            flags = COMMANDS[name].parser().read(words[1:] if name else words)
        except UsageError as error:
            wrong.append((line, str(error)))
            continue
        if not name and not {"source.photos", "source.swap", "swap.swapper"} & flags.keys():
            wrong.append((line, "no source"))
        if any(word.endswith(".jpg") for word in flags.get("words", [])[1:]) and not name:
            wrong.append((line, "a photo as an output"))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_page_of_commands_has_all() -> None:
    text = (ROOT / "docs/usage.md").read_text()
    assert [name for name in COMMANDS if name and f"| `rtswap {name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_toml_in_the_docs_is_understood(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        assert read(path)


def example(name: str) -> Any:
    """A module of docs/examples."""
    return load_script(f"docs/examples/rtswap_example/{name}.py")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 40


def test_own_input() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 30:34] = 255
    given: protocols.Input = example("drifting_picture").DriftingPicture(picture, seconds=0.4)
    assert (given.info.width, given.info.height, given.info.live) == (64, 48, True)
    frames = list(given.frames())
    assert [frame.index for frame in frames] == list(range(12))
    assert len({frame.image.tobytes() for frame in frames}) > 3
    assert all(later.captured_at > former.captured_at for former, later in itertools.pairwise(frames))
    assert not np.shares_memory(frames[0].image, picture)


def test_own_input_ends_when_closed() -> None:
    given = example("drifting_picture").DriftingPicture(np.zeros((8, 8, 3), np.uint8), seconds=60)
    threading.Timer(0.2, given.close).start()
    began = time.perf_counter()
    assert list(given.frames())
    assert time.perf_counter() - began < 10


def marked(index: int) -> MarkedImage:
    image = np.full((8, 8, 3), index, np.uint8)
    return Disclosure(None, reason="a test").mark(image, frame=Frame(image, index, 0.0), swapped=1, stages={})


def test_own_output(tmp_path: Path) -> None:
    output: protocols.Output = example("stills").Stills(tmp_path, every=2)
    for index in range(5):
        output.send(marked(index))
    output.close()
    output.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.png", "000002.png", "000004.png"]
    assert (cv2.imread(str(tmp_path / "000004.png")) == 4).all()
    opened = example("stills").SPEC.open(f"stills:{tmp_path}/new/folder", OutputRequest())
    opened.send(marked(0))
    assert (tmp_path / "new/folder/000000.png").exists(), "as the command on the page"
    broken: Any = example("stills").Stills(tmp_path / "absent")
    with pytest.raises(OutputError, match="cannot write"):
        broken.send(marked(0))


def test_own_swapper() -> None:
    mesh = canonical().mesh.astype(np.float32)
    source_points = place(mesh, 200, (128, 128))
    portrait = np.full((256, 256, 3), (10, 200, 30), np.uint8)
    model: protocols.SwapModel = example("paper_mask").PaperMaskModel()
    swapper = model.bind(SourceIdentity(portrait, source_points))
    in_frame = place(mesh, 90, (320, 240))
    matrix, (width, height) = swapper.view(in_frame, 64)
    assert max(width, height) <= 64
    crop = np.zeros((height, width, 3), np.uint8)
    in_crop = in_frame * matrix[0, 0] + np.array([matrix[0, 2], matrix[1, 2], 0], np.float32)
    swapped = swapper.swap(Target(1, crop, in_crop, np.ones(468, np.float32), 0.0), Quality())
    assert swapped.crop.shape == crop.shape
    assert swapped.mask.shape == crop.shape[:2]
    assert not swapped.mask[[0, -1]].any()
    assert not swapped.mask[:, [0, -1]].any()
    assert (swapped.crop[swapped.mask > 0] == (10, 200, 30)).mean() > 0.95
    assert not crop.any()
    swapper.forget(1)


def place(mesh: np.ndarray, height_px: float, centre: tuple[float, float]) -> np.ndarray:
    """The canonical mesh as landmarks of a face of that height in a picture."""
    low, high = mesh.min(0), mesh.max(0)
    points = (mesh - (low + high) / 2) * (height_px / (high[1] - low[1]))
    points[:, :2] += centre
    return points.astype(np.float32)


def test_everything_that_is_needed_is_packaged() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    package = ROOT / "rtswap"
    packed = {path for pattern in setup["package-data"]["rtswap"] for path in package.glob(pattern)}
    data = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert data - packed == set()
    for folder in {path.parent for path in package.rglob("*.py")}:
        assert (folder / "__init__.py").exists(), folder


def test_own_finish() -> None:
    finish: protocols.Finish = example("old_film").OldFilm()
    points = place(canonical().mesh.astype(np.float32), 10, (32, 32))
    swapped = SwappedFace(np.full((32, 32, 3), (0, 100, 200), np.uint8), np.full((32, 32), 255, np.uint8))
    target = Target(1, np.zeros((32, 32, 3), np.uint8), points, np.ones(468, np.float32), 0.0)
    crop = finish.apply(swapped, target, Quality()).crop
    assert (crop == round(0.587 * 100 + 0.299 * 200)).all()
    finish.forget(1)


def test_own_finish_on_a_gpu_does_what_it_does_on_the_host() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    film = example("old_film")
    crops = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 3), np.uint8)
    masks = np.full((2, 16, 16), 255, np.uint8)
    there = film.GpuOldFilm().apply_all(
        SwappedBatch(torch.from_numpy(crops), torch.from_numpy(masks)), None, Quality(), None
    )
    for crop, grey in zip(crops, there.crops.numpy(), strict=True):
        host = film.OldFilm().apply(SwappedFace(crop, masks[0]), None, Quality())
        assert np.abs(host.crop.astype(int) - grey).max() <= 1


def test_the_page_of_models_lists_the_inputs_of_each_swapper() -> None:
    text = (ROOT / "docs/models.md").read_text()
    needs, told = (text.split(f"{head} |\n")[1].split("\n\n")[0].splitlines()[1:] for head in ("also add", "latent"))
    swappers = {name: family for name, family in model_catalog().families.items() if family.kind == "swapper"}
    for rows in (needs, told):
        assert {name for row in rows for name in row.split("|")[1].strip().split(", ")} == set(swappers)
    for name, family in swappers.items():
        (row,) = (row for row in needs if name in row.split("|")[1].strip().split(", "))
        assert (f"`{family.converter}`" in row) == bool(family.converter)
        assert ("`w600k_r50`" in row) == (family.identity == "embedding")
