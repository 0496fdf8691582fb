"""One attack on the Python API, a process of its own: ``attack_api.py SEED FILE``. Errors of another class are
faults."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from attack_material import face_picture

import rtswap
from rtswap.core.errors import RtswapError


def _pictures(rng: np.random.Generator, file: str) -> list[Any]:
    face = face_picture()
    shapes = [(0, 0, 3), (1, 1, 3), (2, 5000, 3), (240, 240), (240, 240, 4), (240, 240, 1), (3, 240, 240), (7,)]
    return [
        file, face, face[::-1], face[:, ::2], face.astype(np.float32), face.astype(np.uint16),
        np.asfortranarray(face), face.astype(object),
        np.full((240, 240, 3), np.nan), None, 5, b"x", [face], {}, "", "\udcff.png", "a\0b", ".",
        *(np.zeros(shape, np.uint8) for shape in shapes), rng.integers(0, 256, (90, 90, 3), np.uint8),
        np.zeros((240, 240, 3), np.uint8), np.broadcast_to(face[:1], face.shape),
    ]  # fmt: skip


VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2.5,
    float("nan"),
    float("inf"),
    "",
    "all",
    "x",
    "light",
    [],
    ["eyes"],
    {},
    10**30,
]
SETTINGS = [
    "strength",
    "expression",
    "color",
    "faces",
    "mask",
    "min_face",
    "engine",
    "finish",
    "thresholds",
    "on_failure",
]


def main() -> None:
    rng = np.random.default_rng(int(sys.argv[1]))

    def one(values: list[Any]) -> Any:
        return values[rng.integers(len(values))]

    pictures = _pictures(rng, sys.argv[2])
    settings: Any = {one(SETTINGS): one(VALUES) for _ in range(int(rng.choice([0, 0, 1, 2])))}
    source = one(["persona:vera", "persona:vera", one(pictures)])
    try:
        if rng.random() < 0.5:
            with rtswap.Swapper(source, consent=True, **settings) as swapper:
                for _ in range(4):
                    _try(lambda: swapper.swap(one(pictures)))
                _try(lambda: swapper.update(one(["persona:ada", one(pictures)]), consent=True))
                _try(lambda: swapper.update(**{one(SETTINGS): one(VALUES)}))
                assert swapper.swap(face_picture()).swapped + 1
        else:
            with rtswap.LiveSwap(source, consent=True, **settings) as live:
                for _ in range(6):
                    _try(lambda: live.process(one(pictures), one([None, one(VALUES)])))
    except RtswapError as error:
        print(f"refused: {error}")


def _try(work: Any) -> None:
    try:
        work()
    except RtswapError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()
