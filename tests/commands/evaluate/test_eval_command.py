"""`rtswap eval` on the command line: what it understands, and what it says of what cannot be meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rtswap.app.config import Config
from rtswap.commands.evaluate import run as run_module
from rtswap.commands.evaluate.command import COMMAND
from rtswap.commands.evaluate.options import EvaluateOptions
from rtswap.core.errors import InputError, UsageError
from rtswap.source.personas import persona_photo


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Config, EvaluateOptions]]:
    """What the evaluation is asked for, which is not made here."""
    found = []

    def evaluate(config: Config, wanted: EvaluateOptions, **_: Any) -> tuple[dict[str, Any], list[str]]:
        found.append((config, wanted))
        return {"pairs": 3}, ["the table"]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "evaluate", evaluate)
    return found


def run(*args: str) -> int:
    return COMMAND.run(COMMAND.parser().read(args))


def test_without_folders_it_uses_the_built_in_personas(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert asked[0][1] == EvaluateOptions()
    assert capsys.readouterr().out.splitlines()[0] == "the table"


def test_every_flag_arrives(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    flags = (
        "--sources a --targets b --clips c --swapped d --against mesh --judge f --pairs 5 --seed 9 --out e -y --json"
    )
    assert run(*flags.split(), "--i-have-consent", "--color", "rct") == 0
    config, wanted = asked[0]
    paths = {
        name: Path(value)
        for name, value in zip(("sources", "targets", "clips", "swapped", "judge"), "abcdf", strict=True)
    }
    assert wanted == EvaluateOptions(**paths, against="mesh", pairs=5, seed=9, out=Path("e"), overwrite=True)
    assert config.source.i_have_consent
    assert config.swap.color == "rct"
    assert json.loads(capsys.readouterr().out) == {"pairs": 3}


@pytest.mark.parametrize("flags", [["--pairs", "0"], ["--pairs", "many"], ["--seed", "-1"], ["--source", "me.jpg"]])
def test_invalid_arguments_are_one_line(flags: list[str]) -> None:
    with pytest.raises(UsageError):
        run(*flags)


def test_a_missing_folder_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        run("--sources", str(tmp_path / "absent"), "--out", str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_one_photo_makes_no_pair(tmp_path: Path) -> None:
    """The message was "got 0 unusable photos, 0 pairs without a result"."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.open(persona_photo("persona:ben")).resize((256, 256)).save(photos / "a.png")
    with pytest.raises(
        InputError, match=r"no pair to evaluate; got one photo as source and target\. Give two or more"
    ):
        run("--sources", str(photos), "--out", str(tmp_path / "out"), "--i-have-consent", "-q")
