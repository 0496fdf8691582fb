"""A checkpoint from somebody else: nothing in it is run, and whatever is wrong with it is said in one line."""

from __future__ import annotations

import copy
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: it draws the curves of a training")

import torch
from short_trainings import Seconds
from small_recipes import deepfacelab_arguments, make_person

from rtswap.core.errors import ModelError, RtswapError
from rtswap.training.checkpoint import read_checkpoint
from rtswap.training.dfm import write_dfm
from rtswap.training.recipe import Moment
from rtswap.training.recipes.deepfacelab.recipe import DfRecipe
from rtswap.training.trainer import CHECKPOINT, Trainer

PEOPLE = make_person(60), make_person(180)
WRONG = (None, "x", [1, 2], {}, -5, 10**400, float("nan"), float("inf"), torch.zeros(3), [{"a": "b"}], [1])


class Command:
    """What a pickle would run."""

    def __init__(self, touched: Path) -> None:
        self._touched = touched

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._touched}",)


def trainer_of(folder: Path) -> Trainer:
    folder.mkdir(exist_ok=True)
    return Trainer(DfRecipe(deepfacelab_arguments(), *PEOPLE), folder, minutes=1 / 60, clock=Seconds())


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A checkpoint after a step."""
    folder = tmp_path_factory.mktemp("trained")
    trainer_of(folder).run()
    return read_checkpoint(folder / CHECKPOINT)


def spoilt(state: dict[str, Any]) -> list[dict[str, Any]]:
    """``state`` with one thing wrong in each."""
    found: list[dict[str, Any]] = []

    def changed(change: Callable[[dict[str, Any]], object]) -> None:
        other = copy.deepcopy(state)
        change(other)
        found.append(other)

    for key in state:
        changed(lambda other, key=key: other.pop(key))
        for value in WRONG:
            if not (key == "progress" and value == {}):  # a training that has not begun
                changed(lambda other, key=key, value=value: other.update({key: value}))
    for key in state["progress"]:
        for value in WRONG:
            changed(lambda other, key=key, value=value: other["progress"].update({key: value}))
    weight = next(iter(state["shadow"]))
    moved = next(iter(state["optimiser"]["state"]))
    kept = next(iter(state["optimiser"]["state"][moved]))
    for value in (None, "x", torch.zeros(2), torch.zeros(1).expand(1 << 40)):
        changed(lambda other, value=value: other["shadow"].update({weight: value}))
        changed(lambda other, value=value: other["optimiser"]["state"][moved].update({kept: value}))
    shape = state["optimiser"]["state"][moved]["mean"].shape
    changed(lambda other: other["optimiser"]["state"][moved].update({"mean": torch.zeros(shape).to_sparse()}))
    for name, number in (("loss", 10**400), ((1, 2), 1.0), (None, 1.0), ("x" * 5000, 1.0)):
        changed(lambda other, name=name, number=number: other["progress"]["history"][0].update({name: number}))
    changed(lambda other: other["optimiser"]["state"].update({moved: {}}))
    changed(lambda other: other["random"].update({"cpu": torch.zeros(5, dtype=torch.uint8)}))
    return found


def test_whatever_is_wrong_in_a_checkpoint_is_one_error(state: dict[str, Any], tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    for other in spoilt(state):
        torch.save(other, tmp_path / CHECKPOINT)
        with pytest.raises(RtswapError, match=r"\A[^\n]*checkpoint[^\n]*\Z"):
            trainer.load()
    torch.save(state, tmp_path / CHECKPOINT)
    trainer.load()


def test_an_optimiser_keeps_its_own_settings(state: dict[str, Any], tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    other = copy.deepcopy(state)
    other["optimiser"]["param_groups"][0] |= {"lr": "x", "betas": None}
    torch.save(other, tmp_path / CHECKPOINT)
    trainer.load()
    assert trainer.recipe.optimiser.param_groups[0]["betas"] == (0.9, 0.999)


def test_numbers_of_an_optimiser_that_share_their_place_are_written_to(state: dict[str, Any], tmp_path: Path) -> None:
    trainer, other = trainer_of(tmp_path), copy.deepcopy(state)
    for values in other["optimiser"]["state"].values():
        values.update({name: torch.zeros(1).expand(value.shape) for name, value in values.items()})
    torch.save(other, tmp_path / CHECKPOINT)
    trainer.load()
    with trainer.recipe.batches(0) as batches:
        trainer.recipe.step(batches, Moment(0, 0.1, 1e-4))


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_code_in_a_checkpoint_is_not_run(how: str, tmp_path: Path) -> None:
    path, touched = tmp_path / CHECKPOINT, tmp_path / "touched"
    if how == "pickle":
        import pickle

        path.write_bytes(pickle.dumps(Command(touched)))
    else:
        torch.save({"recipe": Command(touched)}, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(ModelError, match="cannot read the checkpoint"):
        read_checkpoint(path)
    assert not touched.exists()


def test_files_that_are_no_checkpoints_are_one_error(state: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    buffer = io.BytesIO()
    torch.save(state, buffer)
    good = buffer.getvalue()
    middle = len(good) // 2
    for data in (b"", b"PK\5\6" + bytes(18), good[:middle], good[:middle] + b"\0damaged\0" + good[middle + 9 :]):
        path.write_bytes(data)
        with pytest.raises(ModelError, match="cannot read the checkpoint"):
            read_checkpoint(path)
    bomb = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as pack, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in pack.infolist():
            packed.writestr(entry.filename, bytes(10_000_000) if "/data/" in entry.filename else pack.read(entry))
    path.write_bytes(bomb.getvalue())
    with pytest.raises(ModelError, match="cannot read the checkpoint"):
        read_checkpoint(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelError, match="not a regular file"):
        read_checkpoint(path)


def test_a_short_file_that_grows_where_it_is_copied_is_refused(state: dict[str, Any], tmp_path: Path) -> None:
    """200 kB that named a row of 3,000 figures 100,000 times took all memory at the next checkpoint."""
    path, circle = tmp_path / CHECKPOINT, list[Any]()
    circle.append(circle)
    row = {"minutes": 1.0, "step": 1} | {f"x{number}": 1.0 for number in range(3000)}
    for history in ([row] * 10_000, circle):
        torch.save(state | {"progress": state["progress"] | {"history": history}}, path)
        with pytest.raises(ModelError, match="cannot read the checkpoint"):
            read_checkpoint(path)


def test_links_planted_in_the_folder_are_not_followed(tmp_path: Path) -> None:
    mine, out = tmp_path / "mine", tmp_path / "out"
    mine.write_text("mine")
    out.mkdir()
    for name in ("checkpoint.tmp", "history.json", "curves.png", "contact-0000.png"):
        (out / name).symlink_to(mine)
    trainer_of(out).run()
    assert mine.read_text() == "mine"
    assert (out / "contact-0000.png").read_bytes().startswith(b"\x89PNG")


def test_a_network_that_computes_nan_is_not_written(tmp_path: Path) -> None:
    network = trainer_of(tmp_path).recipe.shadow
    with torch.no_grad():
        next(iter(network.parameters())).fill_(float("nan"))
    with pytest.raises(ModelError, match="is off by nan"):
        write_dfm(network, 32, tmp_path / "me.dfm", template="whole", recipe="df")
    assert not (tmp_path / "me.dfm").exists()
