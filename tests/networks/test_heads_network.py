"""What the second detector's network may answer. Whatever else it says is a failure, never "nobody is there"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtswap.core.errors import ModelError
from rtswap.core.types import Tensor
from rtswap.networks.heads import CELLS, MAPS, HeadModel

PICTURE = np.zeros((64, 96, 3), np.uint8)
WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "not a number": lambda values: np.full_like(values, np.nan),
    "one that is infinite": lambda values: np.where(values == values.max(), np.float32(np.inf), values),
    "another shape": lambda values: values[..., :-1],
}


class Answering:
    """An engine that answers what differs from place to place, but for one map."""

    name = "answering"

    def __init__(self, name: str = "", wrong: Callable[[Tensor], Tensor] = np.copy) -> None:
        self._name, self._wrong = name, wrong

    def run(self, inputs: object) -> dict[str, Tensor]:
        rng = np.random.default_rng(1)
        shapes = [(1, 4, PICTURE.shape[0] // cell, PICTURE.shape[1] // cell) for cell in CELLS]
        maps = {name: rng.random(shape).astype(np.float32) for name, shape in zip(MAPS, shapes, strict=True)}
        return {name: self._wrong(values) if name == self._name else values for name, values in maps.items()}


def test_a_good_answer_is_taken() -> None:
    assert len(HeadModel(Answering()).find(PICTURE, 0.5))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("wrong", WRONG)
def test_any_other_is_a_failure(name: str, wrong: str) -> None:
    with pytest.raises(ModelError, match="the second detector's output"):
        HeadModel(Answering(name, WRONG[wrong])).find(PICTURE, 0.5)
