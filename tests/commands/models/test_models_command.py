"""``rtswap models``, and a run with what it added: from a file to a swapped picture in two commands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NoReturn

import cv2
import foreign_models as foreign
import numpy as np
import pytest
from media_files import make_clip
from rich.console import Console
from rich.table import Table
from web_servers import FileServer, run_server

from rtswap.commands.main import main
from rtswap.commands.models import run as models_run
from rtswap.core.errors import EngineError
from rtswap.networks import model_store
from rtswap.networks.model_catalog import KnownModel, ModelCatalog, Pack, model_catalog
from rtswap.source.personas import persona_photo
from rtswap.swappers.onnx.identity import Latent
from rtswap.swappers.onnx.swapper import OnnxSwapper
from rtswap.vision.images import read_image

pytestmark = pytest.mark.usefixtures("models")


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, object]:
    assert main(["models", *words, "--json"]) == code, capsys.readouterr().err
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int = 1) -> str:
    assert main(["models", *words]) == code
    error = capsys.readouterr().err.strip().splitlines()
    return error[-1]


def test_the_list_breaks_no_word_in_a_terminal_of_80_columns(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign.write(tmp_path, inswapper_128=foreign.swapper("inswapper"))["inswapper_128"]
    assert main(["models", "add", str(path), "--name", "mine"]) == 0
    shown = Console(width=80, file=StringIO())
    shown.print(*(part for part in models_run.list_models()[1] if isinstance(part, Table)))
    words = shown.file.getvalue().split()
    assert "mine" in words
    catalog = model_catalog()
    for known in (*catalog.models.values(), *catalog.packs.values()):
        assert set(known.licence.split()) | {known.name} <= set(words)


def test_add_list_verify_and_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str], models: Path) -> None:
    path = foreign.write(tmp_path, inswapper_128=foreign.swapper("inswapper"))["inswapper_128"]
    assert main(["models", "add", str(path)]) == 0
    said = capsys.readouterr()
    assert "licence: InsightFace: non-commercial research" in said.err
    assert "  rtswap --swapper inswapper_128 --source me.jpg --cam 0" in said.out
    listed = answer(capsys)
    assert [one["name"] for one in listed["installed"]] == ["inswapper_128"]  # type: ignore[index,attr-defined]
    known = {one["name"]: one for one in listed["models"]}  # type: ignore[index,attr-defined]
    assert known["inswapper_128"]["installed"] == "inswapper_128"
    assert known["ghost_1_256"] == {
        "name": "ghost_1_256",
        "kind": "swapper",
        "family": "ghost",
        "licence": "Apache-2.0",
        "commercial": True,
        "installed": None,
    }
    assert answer(capsys, "verify")["models"][0]["intact"] is True  # type: ignore[index]
    stored = models / "inswapper_128" / "inswapper_128.onnx"
    stored.write_bytes(stored.read_bytes()[:-1])
    assert "has changed" in answer(capsys, "verify", code=1)["models"][0]["damage"]  # type: ignore[index]
    assert answer(capsys, "remove", "inswapper_128") == {"removed": ["inswapper_128"]}
    assert answer(capsys, "list")["installed"] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["ad", "x"], 2, "Did you mean add?"),
        (["add"], 2, "no file given"),
        (["add", "nothing.onnx"], 1, "does not exist"),
        (["pull", "inswaper_128"], 1, "Did you mean inswapper_128"),
        (["pull", "scrfd_10g"], 1, "rtswap models pull buffalo_l"),
        (["pull", "yunet_2023mar"], 2, "the licence of yunet_2023mar was not accepted; expected MIT"),
        (["remove", "x"], 1, "no imported model 'x'"),
        (["verify", "x"], 1, "no imported model 'x'"),
    ],
)
def test_mistakes_are_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    assert told in refused(capsys, *words, code=code)


@pytest.mark.parametrize("name", ["inswapper_128", "inswapper"])
def test_a_known_model_that_is_not_installed_is_reported(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--swapper", name, "-s", "persona:ada"]) == 2
    assert "which is not installed: see `rtswap models`" in capsys.readouterr().err


@pytest.fixture
def server() -> Iterator[FileServer]:
    server = FileServer(b"")
    with run_server(server):
        yield server


def publish(server: FileServer, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Let the catalogue know a swapper at the server."""
    server.content = content
    known = KnownModel(
        "made_up", "hyperswap", "Made up", "a licence", "https://example.org",
        urls=[server.url], sha256=[hashlib.sha256(content).hexdigest()], bytes=len(content),
    )  # fmt: skip
    catalog = model_catalog()
    packs: dict[str, Pack] = {}
    made = ModelCatalog(catalog.families, {**catalog.models, "made_up": known}, packs)
    for module in (models_run, model_store):
        monkeypatch.setattr(module, "model_catalog", lambda: made)


def test_pull_asks_for_the_licence_first_and_downloads_then(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], models: Path
) -> None:
    publish(server, monkeypatch, foreign.swapper("hyperswap"))
    questions: list[str] = []
    said = iter(["n\n", "yes\n"])

    def ask(question: str) -> str:
        questions.append(question)
        return next(said)

    monkeypatch.setattr(models_run, "ask_on_terminal", ask)
    assert "the licence of made_up was not accepted" in refused(capsys, "pull", "made_up", code=2)
    assert server.requests == []
    assert "Licence: a licence (no commercial use)" in questions[0]
    assert "https://example.org" in questions[0]
    added = answer(capsys, "pull", "made_up")["added"]
    assert [(one["name"], one["pinned"]) for one in added] == [("made_up", "published")]  # type: ignore[attr-defined]
    assert server.requests == [""]
    assert list((models / ".downloads").iterdir()) == []


def test_a_wrong_file_at_the_address_is_not_added(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], models: Path
) -> None:
    publish(server, monkeypatch, foreign.swapper("hyperswap"))
    server.content = server.content[:-1] + b"\0"
    assert "is not made_up: sha256" in refused(capsys, "pull", "made_up", "--accept-licence")
    assert answer(capsys)["installed"] == []


def picture_of(persona: str, folder: Path) -> Path:
    """A picture with one face, at (240, 180)."""
    picture = np.full((360, 480, 3), 90, np.uint8)
    picture[20:340, 80:400] = cv2.resize(read_image(persona_photo(persona)), (320, 320), interpolation=cv2.INTER_AREA)
    path = folder / f"{persona}.png"
    cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return picture_of("ben", tmp_path)


@pytest.mark.parametrize("family", ["inswapper", "ghost"])
def test_from_a_file_to_a_swapped_picture_in_two_commands(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str], family: str
) -> None:
    """The network makes what it is shown 40 % darker; it shows in the face, and nowhere else."""
    darker = foreign.darker(family)
    name = {"inswapper": "inswapper_128", "ghost": "ghost_2_256"}[family]
    files = {name: darker, "w600k_r50": foreign.arcface(), "crossface_ghost": foreign.crossface()}
    for path in foreign.write(tmp_path, **files).values():
        assert main(["models", "add", str(path)]) == 0
    out = tmp_path / "out.png"
    words = ["-s", "persona:ada", "-i", str(target), "-o", str(out), "--swapper", name, "--engine", "onnxruntime"]
    assert main([*words, "--detail", "none", "--mask", "hull", "--no-badge"]) == 0, capsys.readouterr().err
    before, after = cv2.imread(str(target)).astype(int), cv2.imread(str(out)).astype(int)
    share = after[150:230, 215:265].sum() / before[150:230, 215:265].sum()
    assert 0.55 < share < 0.66
    assert np.abs(after - before)[:, :60].max() <= 8  # the invisible mark


def test_a_swapper_that_always_fails_is_named_as_the_reason(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told to look into the camera when it was the network."""
    for path in foreign.write(tmp_path, blendswap_256=foreign.darker("blendswap")).values():
        assert main(["models", "add", str(path)]) == 0
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    make_clip(clip, [read_image(target)] * 6)

    def broken(*_: object) -> NoReturn:
        raise EngineError("the network is broken")

    monkeypatch.setattr(OnnxSwapper, "swap_together", broken)
    main(
        [
            "-s",
            "persona:ada",
            "-i",
            str(clip),
            "-o",
            str(out),
            "--swapper",
            "blendswap_256",
            "--engine",
            "onnxruntime",
        ]
    )
    said = capsys.readouterr().err
    assert "swapping failed: the network is broken" in said
    assert "no face was swapped: something failed in 6 of 6 frames, see above" in said
    assert "covered in 6 (" in said
    assert "a failure" in said


def test_a_dfm_needs_no_photo(tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Me.dfm"
    path.write_bytes(foreign.dfm(256, turns=True))
    assert "consent for the source Me.dfm is not confirmed" in refused(capsys, "add", str(path), code=2)
    assert main(["models", "add", str(path), "--i-have-consent"]) == 0
    out = tmp_path / "out.png"
    words = ["-i", str(target), "-o", str(out), "--swapper", "me", "--engine", "onnxruntime", "--no-badge"]
    assert main([*words, "--morph", "0.1"]) == 1
    assert "the swapper me does not change faces" in capsys.readouterr().err
    assert main([*words, "--morph", "1"]) == 0
    before, after = cv2.imread(str(target)).astype(int), cv2.imread(str(out)).astype(int)
    region = np.s_[150:230, 215:265]
    assert after[region][..., 0].mean() > before[region][..., 0].mean() + 10
    assert main(["-i", str(target), "-o", str(tmp_path / "o.png")]) == 2
    assert "no source given" in capsys.readouterr().err


def test_several_people_each_get_their_source_and_each_latent_is_computed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The made-up network paints the whole crop in a colour that its latent chooses."""
    files = {"hyperswap_1a_256": foreign.painter(), "w600k_r50": foreign.arcface()}
    for path in foreign.write(tmp_path, **files).values():
        assert main(["models", "add", str(path)]) == 0
    picture = np.full((360, 720, 3), 90, np.uint8)
    for number, name in enumerate(("ben", "carl")):
        face = cv2.resize(read_image(persona_photo(name)), (320, 320), interpolation=cv2.INTER_AREA)
        picture[20:340, 20 + 360 * number : 340 + 360 * number] = face
    target, out = tmp_path / "two.png", tmp_path / "out.png"
    cv2.imwrite(str(target), picture)
    calls: list[str] = []
    of = Latent.of
    monkeypatch.setattr(
        Latent, "of", lambda self, source, *rest: calls.append(source.name) or of(self, source, *rest)
    )
    words = ["--swap", "left=persona:ada", "--swap", "right=persona:dan", "-i", str(target), "-o", str(out)]
    words += ["--swapper", "hyperswap_1a_256", "--engine", "onnxruntime", "--no-badge", "--detail", "none"]
    assert main([*words, "--mask", "hull"]) == 0, capsys.readouterr().err
    assert len(calls) == 2
    after = cv2.imread(str(out)).astype(int)
    left, right = (after[150:230, x : x + 60].mean((0, 1)) for x in (150, 510))
    assert np.abs(left - right).max() > 2, "each has the colour of a source of their own"
    for colour, at in ((left, 150), (right, 510)):
        spread = after[150:230, at : at + 60].std((0, 1))
        assert spread.max() < 6, (colour, "one colour all over")


@pytest.mark.parametrize("flag", ["--enhance", "--mask", "--detector"])
def test_enhancers_masks_and_detectors_run_from_the_command_line(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    plain, out = tmp_path / "plain.png", tmp_path / "out.png"
    source = str(picture_of("ada", tmp_path))
    words = [
        "-s",
        source,
        "--i-have-consent",
        "-i",
        str(target),
        "--engine",
        "onnxruntime",
        "--no-badge",
        "--mask",
        "hull",
    ]
    assert main([*words, "-o", str(plain)]) == 0
    content = {
        "--enhance": foreign.enhancer(256),
        "--mask": foreign.xseg(0.02),
        "--detector": foreign.yunet_at(240, 180),
    }
    name = {"--enhance": "gpen_bfr_256", "--mask": "xseg_1", "--detector": "yunet_2023mar"}[flag]
    assert main(["models", "add", str(foreign.write(tmp_path, **{name: content[flag]})[name])]) == 0
    told = capsys.readouterr().out
    value = {"--enhance": name, "--mask": "hull,xseg", "--detector": "yunet"}[flag]
    assert f"{flag} " in told
    assert main([*words, flag, value, "-o", str(out)]) == 0, capsys.readouterr().err
    one, other, before = (cv2.imread(str(path)).astype(int) for path in (plain, out, target))
    region = np.s_[140:240, 200:280]
    if flag == "--enhance":
        assert 12 < (other[region] - one[region]).mean() < 28
    elif flag == "--mask":  # it sees the face everywhere
        assert np.abs(other[region] - one[region]).mean() < 2
    else:
        assert np.abs(other[region] - before[region]).mean() > 3
