"""``python -m training RECIPE ...``: trains one of the networks that ship with rtswap.

RECIPE is close_ups, glasses, heads, landmarks, masks, neighbours, photo_light, recognition, refiner or sharpness;
``python -m training RECIPE --help`` lists its options. ``python -m training.RECIPE`` does the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import cv2
import torch

from rtswap.core.errors import RtswapError
from rtswap.training.processes import spread
from rtswap.training.recipe import Recipe
from rtswap.training.trainer import Trainer

RECIPES = (
    "close_ups",
    "glasses",
    "heads",
    "landmarks",
    "masks",
    "neighbours",
    "photo_light",
    "recognition",
    "refiner",
    "sharpness",
)


def train(recipe: type[Recipe], argv: Sequence[str] | None = None) -> None:
    """Train ``recipe`` as the command line asks for."""
    args = recipe.parser().parse_args(argv)
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    if args.half is None:
        args.half = args.device == "cuda" and recipe.half_on_cuda
    args.out.mkdir(parents=True, exist_ok=True)
    limit_threads(args.threads)  # before any fork: OpenCV's thread pool does not survive one
    try:
        with recipe.data(args) as data:
            spread(partial(_work, recipe, args, data), recipe.processes(args))
    except RtswapError as error:
        raise SystemExit(str(error)) from None


def _work(recipe: type[Recipe], args: argparse.Namespace, data: tuple[Any, ...], rank: int) -> None:
    limit_threads(args.threads)
    torch.manual_seed(rank)
    Trainer(recipe(args, *data), args.out, minutes=args.minutes, until=args.until, rank=rank).run()


def limit_threads(count: int) -> None:
    """``count`` threads for torch, one for OpenCV."""
    cv2.setNumThreads(1)
    torch.set_num_threads(count)


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in RECIPES:
        raise SystemExit(__doc__)
    train(import_module(f"training.{name}.recipe").RECIPE, sys.argv[2:])


if __name__ == "__main__":
    main()
