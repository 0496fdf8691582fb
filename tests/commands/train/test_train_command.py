"""``rtswap train``: wrong words in one line; from two facesets to a swapped picture."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from facesets import make_faceset
from requirements import need_torch
from two_people import two_people

from rtswap.commands.main import main
from rtswap.faceset.table import TABLE
from rtswap.source.personas import persona_photo
from rtswap.training.recipes import RECIPES

pytestmark = pytest.mark.usefixtures("models")

DF = [
    "--threads",
    "1",
    "--resolution",
    "32",
    "--ae-dims",
    "16",
    "--e-dims",
    "8",
    "--d-dims",
    "8",
    "--d-mask-dims",
    "4",
    "--workers",
    "0",
]


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    assert main(["train", *words]) == code
    lines = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no recipe given; expected one of df, liae"),
        (["fd"], "unknown recipe 'fd'"),
        (["lia"], "Did you mean liae?"),
        (["DF"], "Did you mean df?"),
        (
            ["df", "--data", "faces/me", "faces/scene"],
            "unexpected 'faces/scene'; expected --data before each faceset",
        ),
        (["df", "--resume"], "Nothing is needed: a training goes on from what --out holds."),
        (["df", "--epochs", "9"], "A training is as long as its --minutes"),
        (["df", "--source", "faces/me"], "Use --data twice: first the source's faceset, then the target's."),
        (["df", "liae"], "more than one recipe"),
        (["df", "--minutes", "1", "--out", "x"], "df needs two people; expected two facesets"),
        (["df", "--data", "a", "--minutes", "1", "--out", "x"], "got 1"),
        (["df", "--data", "a", "--data", "a", "--minutes", "1", "--out", "x"], "source and target are the same"),
        (["df", "--data", "a", "--data", "b", "--minutes", "1"], "no output folder"),
        (["df", "--data", "a", "--data", "b", "--out", "x"], "no training time"),
        (["df", "--data", "a", "--data", "b", "--out", "x", "--minutes", "soon"], "--minutes"),
        (["df", "--data", "a", "--data", "b", "--out", "x", "--minutes", "1", "--optoins", "u"], "--options?"),
    ],
)
def test_wrong_words_are_told_in_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, *words)


def test_the_help_names_every_recipe_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for spec in RECIPES:
        assert f"  {spec.name} " in text
        assert all(row.flag in text for row in spec.options)
        assert {name for size in spec.sizes.values() for name in size} <= {row.name for row in spec.options}


def test_the_help_of_a_recipe_is_of_it_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """rtswap train df --help showed the options of all seven."""
    for spec in RECIPES:
        assert main(["train", spec.name, "--help"]) == 0
        text = capsys.readouterr().out
        others = {row.flag for other in RECIPES for row in other.options} - {row.flag for row in spec.options}
        shown = set(re.findall(r"--[a-z-]+", text))
        assert {row.flag for row in spec.options} | {"--data", "--out", "--minutes"} <= shown
        assert not others & shown
        assert f"rtswap train {spec.name} --data" in text


def test_without_torch_the_install_command_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.delitem(__import__("sys").modules, "rtswap.training.run", raising=False)
    said = refused(capsys, "df", "--data", "a", "--data", "b", "--out", "x", "--minutes", "1", code=1)
    assert 'pip install "rtswap[train]"' in said


def test_facesets_that_will_not_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_torch()
    make_faceset(tmp_path / "few", 5)
    words = ["--minutes", "1", "--out", str(tmp_path / "out"), *DF]
    said = refused(capsys, "df", "--data", str(tmp_path / "few"), "--data", str(tmp_path / "none"), *words)
    assert "too few faces" in said
    assert "got 5" in said
    said = refused(capsys, "df", "--data", str(tmp_path / "none"), "--data", str(tmp_path / "few"), *words, code=1)
    assert "is not a faceset" in said
    ada, ben = two_people(tmp_path)
    said = refused(capsys, "df", "--data", f"{ada}:7", "--data", str(ben), *words)
    assert f"there is no person 7 in {ada}; expected 0. {ada / 'sheet.png'} shows who is who." in said
    table = (ben / TABLE).read_text()
    (ben / TABLE).write_text(table.replace('"template":"whole"', '"template":"ffhq"', 1))
    said = refused(capsys, "df", "--data", str(ada), "--data", str(ben), *words)
    assert "the facesets are aligned differently" in said
    for folder in (ada, ben):
        first, *faces = (folder / TABLE).read_text().splitlines()
        head = json.loads(first) | {"settings": {"template": "no"}}
        (folder / TABLE).write_text("\n".join([json.dumps(head), *faces, ""]))
    assert "unknown template" in refused(capsys, "df", "--data", str(ada), "--data", str(ben), *words)
    vectors = [json.dumps(json.loads(face) | {"embedding": [1, 0, 0], "space": "rtswap"}) for face in faces]
    (ben / TABLE).write_text("\n".join([json.dumps(head).replace('"no"', '"whole"'), *vectors, ""]))
    said = refused(capsys, "faceshifter", "--data", str(ben), "--minutes", "1", "--out", str(tmp_path / "out"))
    assert "no identity vectors of rtswap's recogniser" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["me.dfm", "history.json", "curves.png", "contact-0000.png"])
def test_a_new_training_replaces_no_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_torch()
    ada, ben = two_people(tmp_path)
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / name).write_text("mine")
    words = ["--data", str(ada), "--data", str(ben), "--minutes", "0.01", "--out", str(tmp_path / "me"), *DF]
    assert f"{name} already exists, and no training to go on with" in refused(capsys, "df", *words)
    assert [(path.name, path.read_text()) for path in (tmp_path / "me").iterdir()] == [(name, "mine")]


def test_source_and_target_are_not_exchanged_on_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The half of the networks that had learnt the source went on with the target's faces, without a word."""
    need_torch()
    ada, ben = two_people(tmp_path)
    words = ["--out", str(tmp_path / "me"), "--minutes", "0.02", *DF]
    forth, back = (["--data", str(a), "--data", str(b)] for a, b in ((ada, ben), (ben, ada)))
    assert main(["train", "df", *forth, *words]) == 0, capsys.readouterr().err
    checkpoint = (tmp_path / "me/checkpoint.pt").read_bytes()
    capsys.readouterr()
    said = refused(capsys, "df", *back, *words)
    assert "source and target are the other way round than in the earlier runs" in said
    assert "Exchange the two --data" in said
    assert (tmp_path / "me/checkpoint.pt").read_bytes() == checkpoint
    moved = ada.rename(tmp_path / "moved")
    next(moved.glob("*[0-9].png")).unlink()
    assert main(["train", "df", "--data", str(moved), *forth[2:], *words]) == 0, (
        "a faceset may be moved and sorted out"
    )
    assert "other faces" not in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["df", "liae"])
def test_two_facesets_become_a_swapped_picture(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_torch()
    monkeypatch.setattr("rtswap.training.trainer.WARM_UP_STEPS", 10)
    ada, ben = two_people(tmp_path)
    out = tmp_path / "me"
    words = ["train", recipe, "--data", str(ada), "--data", str(ben), "--out", str(out), *DF, "--rate", "0.001"]
    assert main([*words, "--minutes", "0.3", "--json"]) == 0, capsys.readouterr().err
    result = json.loads(capsys.readouterr().out)
    first, last = result["held_out"], json.loads((out / "history.json").read_text())[0]
    assert first["source_psnr"] > last["source_psnr"] + 0.3, "held-out faces look more like themselves than untrained"
    assert result["largest_difference_from_torch"] <= 1e-3
    assert list(out.glob("contact-*.png"))
    picture, after = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(picture), cv2.imread(str(persona_photo("ben"))))
    run = [str(picture), str(after), "--swapper", str(out / "me.dfm"), "--engine", "onnxruntime", "--no-badge"]
    assert main(run) == 2
    assert "consent for the source me.dfm is not confirmed" in capsys.readouterr().err
    assert main([*run, "--i-have-consent"]) == 0, capsys.readouterr().err
    before, swapped = (cv2.imread(str(path)).astype(int) for path in (picture, after))
    change = np.abs(swapped - before).mean(2)
    height, width = change.shape
    middle = change[height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
    assert middle.mean() > 8, "the face changed"
    assert change[: height // 12].max() <= 8, "outside its mask nothing but the invisible mark did"
    assert main([*words, "--minutes", "0", "--direction", "back", "--json"]) == 0, "a file from the checkpoint alone"
    assert (out / "me-back.dfm").read_bytes() != (out / "me.dfm").read_bytes()
    other = "liae" if recipe == "df" else "df"
    words[1] = other
    assert f"is a checkpoint of {recipe}, not of {other}" in refused(capsys, *words[1:], "--minutes", "1")


def test_faceswap_gan_learns_parts_and_writes_a_file_for_either_direction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_torch()
    ada, ben = two_people(tmp_path)
    out = tmp_path / "me"
    small = "--resolution 64 --norm none --attention 0 --critic-dims 8 --code-dims 16 --workers 0 --batch 2"
    words = ["train", "faceswap-gan", "--data", str(ada), "--data", str(ben), "--out", str(out), *small.split()]
    assert main([*words, "--learn-parts", "eyes,mouth", "--minutes", "0.05", "--json"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["file"].endswith("me.dfm")
    assert main([*words, "--direction", "back", "--minutes", "0", "--json"]) == 0
    forth, back = ((out / name).read_bytes() for name in ("me.dfm", "me-back.dfm"))
    assert forth != back
    assert "df has no --alpha" in refused(capsys, "df", *words[2:8], "--minutes", "1", "--alpha", "free")


def test_a_file_trained_further_replaces_the_one_that_was_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import foreign_models as foreign

    from rtswap.networks.installed_models import list_installed

    monkeypatch.setattr("rtswap.app.swap_check.SwapCheck.run", lambda *_: None)  # the made-up file only tints a face

    picture = tmp_path / "in.png"
    cv2.imwrite(str(picture), cv2.imread(str(persona_photo("ben"))))
    path = tmp_path / "me.dfm"
    words = [str(picture), str(tmp_path / "out.png"), "--swapper", str(path), "--engine", "onnxruntime", "-y"]
    for size in (64, 96):
        path.write_bytes(foreign.dfm(size))
        assert main([*words, "--i-have-consent"]) == 0, capsys.readouterr().err
        assert [model.name for model in list_installed()] == ["me"]
    assert main([*words, "--i-have-consent"]) == 0
    path.write_bytes(foreign.dfm(64)[:-500])
    assert main([*words, "--i-have-consent"]) == 1
    assert [model.name for model in list_installed()] == ["me"], "a damaged file takes nothing away"
    capsys.readouterr()
    path.unlink()
    assert main(words) == 2
    assert "me.dfm" in capsys.readouterr().err
