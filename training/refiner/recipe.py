"""Train the refiner, which mends what the swapper ``mesh`` leaves behind.

    python -m training.refiner --minutes 80 --faces DIR --teacher FILE --out DIR

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
Pairs are made by ``--makers`` processes before and while it trains; training begins with ``--least`` files of them.
``--cache``: the folder with the labels and views of ``training.landmarks``, made there where they are missing.
``--begin-from``: an exported network, say rtswap/assets/refiner.onnx.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
from torch import Tensor, nn

from rtswap.training.recipe import Recipe, Terms
from rtswap.training.shards import making
from training.landmarks.teacher import load_people
from training.landmarks.views import build
from training.refiner.augmentation import augment
from training.refiner.losses import WEIGHTS, refine, see, terms
from training.refiner.network import Deployed, Refiner
from training.refiner.pairs import SHARD, load, prepare
from training.refiner.pool import Arriving, Batch, Pool
from training.refiner.watchers import Trial, Watcher


class RefinerRecipe(Recipe):
    name, default_rate, batch = "refiner", 1e-3, 0
    weights = WEIGHTS
    network: Refiner
    shadow: Refiner

    def __init__(self, args: argparse.Namespace, people: Tensor, others: Tensor) -> None:
        """``people``, ``others``: (P, 128) whose face is whose, of those who are taught and of those kept out."""
        super().__init__(Refiner(), args)
        self.batch_size = (args.true + args.cross) * args.workers
        self._watcher = Watcher(self.device)
        self._people, self._others = people, others
        self._pool = Pool(min(args.most, args.shards * SHARD), self.device)

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        add = parser.add_argument
        add("--teacher", type=Path, required=True, help="facemesh.onnx")
        add("--cache", type=Path, help="labels and views; default: --out")
        add("--workers", type=int, default=1, help="processes that share each step")
        add("--true", type=int, default=32, help="pairs with a truth per batch")
        add("--cross", type=int, default=16, help="pairs of two people's photos, without one, per batch")
        add("--watched", type=int, default=4, help="show the recogniser one in so many pairs of a batch")
        add("--makers", type=int, default=2, help="processes that make pairs")
        add("--shards", type=int, default=48, help="files of 160 pairs to make")
        add("--least", type=int, default=48, help="files to begin with")
        add("--most", type=int, default=100_000, help="pairs on the device; each takes 0.2 MB")
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        cache = args.cache or args.out
        labels, known, kept_out = load_people(args.faces, args.teacher, cache / "labels.npz")
        taught = build(args.faces, labels, known, 6, cache / "views-train")
        others = build(args.faces, labels, kept_out, 3, cache / "views-validation")
        train, hard, trial = (args.out / f"pairs-{name}" for name in ("train", "hard", "validation"))
        jobs = [
            partial(prepare, others, hard, [0], 9, count=96, hard=True),
            partial(prepare, others, trial, [0], 8, count=240),
            *(partial(prepare, taught, train, range(k, args.shards, args.makers), 1) for k in range(args.makers)),
        ]
        with making(jobs, {train: min(args.least, args.shards), hard: 1, trial: 1}):
            watcher = Watcher(args.device)
            yield watcher.people(taught), watcher.people(others)

    @classmethod
    def processes(cls, args: argparse.Namespace) -> int:
        return args.workers

    def deployed(self, network: nn.Module) -> nn.Module:
        assert isinstance(network, Refiner)
        return Deployed(network)

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        return batch.given

    @contextmanager
    def batches(self, seed: int) -> Iterator[Iterator[Batch]]:
        args = self.args
        arriving = Arriving(args.out / "pairs-train", self._pool)
        arriving.take()
        with arriving.taking():
            yield (augment(self._pool.draw(args.true, args.cross)) for _ in repeat(None))

    def losses(self, batch: Batch) -> Terms:
        with self.autocast():
            logs = self.network(*batch.given)
        some = slice(None, None, self.args.watched)  # of both kinds: the ones with a truth come first
        part = batch.part(some)
        picture = refine(part.composite, part.mask, logs[some])
        with self.autocast():
            identity = self._watcher.identity(picture, part, self._people)
        return terms(see(batch, logs), logs) | {"identity": identity}

    def trial(self, picture: Path) -> dict[str, float]:
        hard, pairs = (load(self.args.out / f"pairs-{name}") for name in ("hard", "validation"))
        trial = Trial(Pool.of(pairs, self.device), hard, self._watcher, self._others)
        cv2.imwrite(str(picture), trial.picture(self.shadow))
        return trial.figures(self.shadow)

    def status(self) -> str:
        return f" of {self._pool.count} pairs"


RECIPE = RefinerRecipe
