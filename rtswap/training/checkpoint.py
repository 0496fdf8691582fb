"""Read checkpoints of trainings, which may come from anybody: nothing in them is run or taken unchecked."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from rtswap.core.errors import ModelError, reason
from rtswap.core.files import open_regular
from rtswap.training.optimisers import AdaBelief

DAMAGED = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    TypeError, UnpicklingError, ValueError, zipfile.BadZipFile,
)  # fmt: skip
"""What reading or using a damaged checkpoint may raise."""
MOST_VALUES = 2_000_000
"""In a checkpoint, a tensor counting as one: a training of a month reports as many."""


def read_checkpoint(path: Path, device: str = "cpu", do: str = "Give another --out to train anew.") -> dict[str, Any]:
    """The parts of a checkpoint by name. Raises ModelError, with ``do``, for a file that is damaged, that would grow
    beyond its size when it is read or copied, or that holds anything but tensors and plain values."""
    try:
        with open_regular(path) as file:
            with zipfile.ZipFile(file) as pack:
                check_uncompressed(pack, path)
                if pack.testzip():
                    raise ValueError("damaged")
            file.seek(0)
            state = torch.load(file, map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise ValueError("no parts")
        check_size(state)
    except DAMAGED as error:
        got = reason(error) if isinstance(error, OSError) else "a damaged file, or one of another kind"
        raise ModelError(f"cannot read the checkpoint {path}", got=got, do=do) from None
    return state


def check_uncompressed(pack: zipfile.ZipFile, path: Path) -> None:
    """Raise ValueError for a zip file whose content is compressed, or larger than itself."""
    entries = pack.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError("compressed data")


def check_size(state: dict[str, Any]) -> None:
    """Raise ValueError for more than ``MOST_VALUES`` values. A short pickle can name one list in many places, or in
    itself, and grows without end where it is copied."""
    waiting: list[Any] = [state]
    count = 0
    while waiting:
        value = waiting.pop()
        inside = value.values() if isinstance(value, dict) else value
        if isinstance(value, (dict, list, tuple, set)):
            count += len(value)
            if count > MOST_VALUES:
                raise ValueError("too many values")
            waiting.extend(inside)


def load_part(part: Any, state: Any) -> None:
    """Give a network, an optimiser or a schedule its state. An optimiser keeps its own settings, such as the learning
    rate. Raises one of ``DAMAGED``."""
    if not isinstance(part, torch.optim.Optimizer):
        part.load_state_dict(state)
        return
    own = part.state_dict()["param_groups"]
    weights = {number: weight for group, its in zip(part.param_groups, own, strict=True)
               for number, weight in zip(its["params"], group["params"], strict=True)}  # fmt: skip
    names = {"mean", "spread"} if isinstance(part, AdaBelief) else {"step", "exp_avg", "exp_avg_sq"}
    for number, values in state["state"].items():
        if values.keys() != names:
            raise ValueError("another optimiser")
        for name, value in values.items():
            shape = () if name == "step" else weights[number].shape
            if not isinstance(value, Tensor) or value.shape != shape or not value.is_floating_point():
                raise ValueError(f"{name} of an optimiser")
            if value.layout != torch.strided:
                raise ValueError(f"{name} of an optimiser is sparse")
    # Copies: the numbers of a tensor may share their place in memory, where no optimiser can write.
    kept = {
        number: {name: value.clone() for name, value in values.items()} for number, values in state["state"].items()
    }
    part.load_state_dict({"state": kept, "param_groups": own})


def is_plain(number: object, *, whole: bool = False) -> bool:
    """Whether ``number`` is a finite number from 0 on."""
    kinds = (int,) if whole else (int, float)
    return type(number) in kinds and 0 <= number < 1e15 and math.isfinite(number)  # type: ignore[operator, arg-type]
