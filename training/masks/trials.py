"""Faces kept out of training, procedurally covered, the same at every look; and the figures on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.landmarks.views import Views
from training.masks.cutouts import Cutouts
from training.masks.samples import Batch, Sampler

COUNT = 256


def held_out(views: Views, hands: Cutouts, worn: NDArray[np.uint8], count: int = COUNT) -> Batch:
    return next(Sampler(views, hands, 12345, worn).batches(count, again=1, keep=count))


def figures(visible: NDArray[np.floating], batch: Batch) -> dict[str, float]:
    """``visible`` (N, 64, 64) 0..1 as answered. IoU of the hidden and of the visible part, pooled over all that
    counts; the share of hidden pixels told where nothing is hidden; the share of seen face taken away."""
    counts = batch.weights > 200
    hidden, told = batch.visible < 128, visible < 0.5
    clean = (hidden & counts).sum((1, 2)) == 0
    seen = counts & ~hidden
    return {
        "iou_hidden": _iou(hidden[counts], told[counts]),
        "iou_visible": _iou(~hidden[counts], ~told[counts]),
        "lost": float(told[seen].mean()),
        "lost_clean": float(told[clean][seen[clean]].mean()) if clean.any() else 0.0,
        "missed": float((~told[hidden & counts]).mean()),
    }


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))
