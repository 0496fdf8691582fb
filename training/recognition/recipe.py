"""Train the recognition network.

    python -m training.recognition --minutes 25 --faces DIR --teacher FILE --out DIR

Stops after the given minutes, counted over all runs; run it again to go on from the last checkpoint. ``--cache``: the
folder with the labels and views of ``training.landmarks``, which are made there where they are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rtswap.training.layers import to_input
from rtswap.training.recipe import Moment, Recipe, Terms
from rtswap.training.recogniser import Deployed, RecognitionNetwork
from rtswap.training.workers import from_workers
from training.arrays import Floats
from training.landmarks.teacher import Labels, load_people
from training.landmarks.views import Views, build
from training.recognition.evaluate import figures
from training.recognition.losses import WEIGHTS, losses
from training.recognition.samples import Pairs

VIEWS = 6
LEAST_VARIANCE = 3e-4
"""Added to the variance along each axis of dlib's embeddings before it is divided by: the last ones are noise."""


class RecognitionRecipe(Recipe):
    name, default_rate, threads, half_on_cuda = "recognition", 1.5e-3, 2, False
    batch, weight_decay, most_norm, trial_s = 48, 5e-2, 5.0, 240.0
    weights, deployed_as = WEIGHTS, Deployed

    def __init__(self, args: argparse.Namespace, views: Views, strangers: Views, embeddings: Tensor) -> None:
        """``embeddings``: (P, 128) of the people of ``views``."""
        super().__init__(RecognitionNetwork(), args)
        self._views, self._strangers, self._embeddings = views, strangers, embeddings.to(self.device)
        self.batch_size = 2 * args.batch

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        parser.add_argument("--teacher", type=Path, required=True, help="facemesh.onnx")
        parser.add_argument("--cache", type=Path, help="labels and views; default: --out")
        parser.add_argument(
            "--people", type=int, dest="batch", help="per batch; two crops each: another name of --batch"
        )
        parser.set_defaults(batch=cls.batch)
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        cache = args.cache or args.out
        labels, taught, others = load_people(args.faces, args.teacher, cache / "labels.npz")
        views = build(args.faces, labels, taught, VIEWS, cache / "views-train")
        strangers = build(args.faces, labels, others, VIEWS, args.out / "views-strangers")
        yield views, strangers, torch.from_numpy(embeddings(args.faces, labels)[taught])

    def batches(self, seed: int) -> AbstractContextManager[Iterator[list[Tensor]]]:
        return from_workers(Pairs(self._views, self.args.batch), self.device, seed)

    def inputs(self, batch: list[Tensor]) -> tuple[Tensor, ...]:
        return (to_input(batch[0]).contiguous(memory_format=torch.channels_last),)

    def losses(self, batch: list[Tensor]) -> Terms:
        with self.autocast():
            vectors = self.network(*self.inputs(batch))
        return losses(vectors.float(), self._embeddings[batch[1]])

    def averaged_over(self, moment: Moment) -> float:
        return 1000 + 700 * moment.share

    def trial(self, picture: Path) -> dict[str, float]:
        return figures(lambda crops: self.answers(crops=crops)[0], self._strangers)


def embeddings(faces: Path, labels: Labels) -> Floats:
    """(N, 128) dlib's, centred, whitened and of unit length, in the order of ``labels``. Whitened, since a
    third of the variance lies along three axes: of 100 pairs of strangers the most alike has a cosine of 0.29 so, and
    of 0.58 as the embeddings are."""
    with np.load(faces / "faces.npz") as data:
        row = {str(name): n for n, name in enumerate(data["name"])}
        raw = data["dlib128"][[row[str(name)] for name in labels.names]].astype(np.float32)
    centred = raw - raw.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(centred.T))
    white = centred @ (axes / np.sqrt(variances + LEAST_VARIANCE))
    return np.asarray(white / np.linalg.norm(white, axis=1, keepdims=True), np.float32)


RECIPE = RecognitionRecipe
