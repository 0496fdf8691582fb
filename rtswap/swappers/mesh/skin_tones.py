"""Show the ratios of one skin on another: tables of 256 values, by how much lighter the target is than the photo, and
fewer tints on paler skin.

On lighter skin gloss and shading stand out less, and shades are red instead of grey; brows and lips have a colour of
their own, whatever the skin around them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image
from rtswap.vision.resample import resized

ONE = 128
"""The ratio 1 in 8 bits."""
LUMA = 0.15, 0.45, 0.4
"""Weights of B, G and R: more red than in BT.601, so that a blush, which is dark in green alone, stays light."""
DEEP = -0.2
"""Log of the ratio below which a place is hair or an opening instead of shaded skin."""
HIGHLIGHTS, SHADOWS = (-0.5, -0.9, 0.4, 1.6), (-0.35, -0.7, 0.65, 1.5)
"""Factors of the logs of ratios above 1, and below 1 down to ``DEEP``: change over the log of how much lighter the
target is, the same where it is darker, and limits. On lighter skin gloss and shading stand out less, on darker skin
more: without them features are flat there."""
MUCH_LIGHTER, LIGHTER = 0.35, 0.2
"""Logs of how much lighter the target's skin must be for brows and shades, and for lips, to be shown otherwise than
skin. Their own colour is what it is, on whatever skin: as ratios to dark skin, they would be pale on light skin."""
BROWS_DEEPER = 1.5
"""How much larger the log of a brow's ratio is, per log of how much lighter the target is beyond that."""
ALIKE, MOST_PALER, FEWER, FEWEST = 0.1, 0.4, 3.5, 0.35
"""By how much less colour (a log of red over blue) the target's skin must have than the photo's to count as paler;
the most that counts, as more is the lamp's; by which share tints of skin are reduced per log, also per log of
lightness beyond ``LIGHTER``; and least share. On dark skin gloss and shade differ more in colour: on light skin the
one would be lilac, the other orange."""
LIPS_SHIFT = -0.42, -0.46, -0.13
"""What is added to the logs of lips' ratios (B, G, R) per log beyond that: lips of light skin are darker than it, and
red."""
LIPS_EVENER, LEAST_EVEN = 0.65, 0.4
"""By which share their logs are reduced before, per log beyond that, and to which at most: the lower lip of dark skin
may be much lighter than the upper one."""
EVENER, EVENED, REDDER = 0.6, 0.5, (0.35, 0.1, -0.35)
"""Skin's shades on much lighter skin, per log beyond that: by which share those lighter than ``EVENED`` (a log) are
reduced, and what is added to the logs (B, G, R) of one. Dark skin varies more, and darker places of light skin are
red: as they are, they would be grey dirt around mouth and nose."""


def toned(ratios: Image, lighter: float, colours: tuple[float, float], features: Callable[[], Image] | None) -> Image:
    """``ratios`` (H, W, 3) as they are shown on a target that is ``lighter`` by this log. ``colours``: logs of
    red over blue of the photo's and of the target's skin; ``features``: as for ``light.relight``."""
    own, theirs = colours
    paler = min(max(own - theirs - ALIKE, 0.0), MOST_PALER)
    of_skin, share = tones(lighter, paler), _share_of_tints(lighter, paler)
    shown = _looked_up(_with_fewer_tints(ratios, share), of_skin)
    of_brows, of_lips = feature_tones(lighter)
    if of_lips is None and share < 1:
        of_lips = tones(lighter)
    if of_lips is None or features is None:
        return shown
    for table, plane in zip((of_brows, of_lips), cv2.split(features()), strict=True):
        if table is None:
            continue
        where = resized(plane, ratios.shape[1::-1])
        x, y, width, height = cv2.boundingRect(where)
        if not width:
            continue
        part = np.s_[y : y + height, x : x + width]
        weight = where[part].astype(np.float32) / 255
        shown[part] = cv2.blendLinear(_looked_up(ratios[part], table), shown[part], weight, 1 - weight)
    return shown


def _share_of_tints(lighter: float, paler: float) -> float:
    """Share of the photo's tints that is shown on a target that is ``lighter`` and ``paler`` by these logs."""
    return max(FEWEST, 1 - FEWER * (paler + max(lighter - LIGHTER, 0)))


def _with_fewer_tints(ratios: Image, share: float) -> Image:
    if share == 1:
        return ratios
    mix = share * np.eye(3, dtype=np.float32) + np.float32(1 - share) * np.array(LUMA, np.float32)
    return np.asarray(cv2.transform(ratios, mix), np.uint8)


def tones(lighter: float, paler: float = 0.0) -> NDArray[np.uint8]:
    """Table from ratios to those shown on a target that is ``lighter`` and ``paler`` than the photo by these logs:
    (256,), or (256, 3) if channels differ, which takes twice the time."""
    above, below = (
        np.float32(min(max(1 + (on_lighter if lighter > 0 else on_darker) * lighter, low), high))
        for on_lighter, on_darker, low, high in (HIGHLIGHTS, SHADOWS)
    )
    bright, shaded, deep = _logs_of_ratios()
    shown, dark = above * bright, below * shaded + deep
    excess = np.float32(min(max(lighter - MUCH_LIGHTER, 0.0) + paler, 1.0))
    if excess <= 0:
        return _in_bytes(shown + dark)
    dark = dark * (1 - excess * EVENER / (1 + (dark / np.float32(EVENED)) ** 2))
    tint = excess * np.array(REDDER, np.float32) * np.maximum(dark, -np.float32(EVENED))[:, None]
    return _in_bytes((shown + dark)[:, None] + tint)


def feature_tones(lighter: float) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None]:
    """The same tables for brows (256,) and for lips (256, 3); None for what is shown like skin."""
    excess, of_lips = (np.float32(max(lighter - least, 0.0)) for least in (MUCH_LIGHTER, LIGHTER))
    if not of_lips:
        return None, None
    logs = np.log(np.maximum(np.arange(256, dtype=np.float32), 1) / ONE)
    brows = np.where(logs < 0, logs * (1 + np.float32(BROWS_DEEPER) * excess), logs)
    lips = logs[:, None] * max(LEAST_EVEN, 1 - LIPS_EVENER * of_lips) + np.array(LIPS_SHIFT, np.float32) * of_lips
    return _in_bytes(brows) if excess else None, _in_bytes(lips)


def _in_bytes(logs: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.round(ONE * np.exp(logs)), 0, 255), np.uint8)


def _looked_up(ratios: Image, table: NDArray[np.uint8]) -> Image:
    return np.asarray(cv2.LUT(ratios, table if table.ndim == 1 else table[None]), np.uint8)


@cache
def _logs_of_ratios() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Logs (256,) of the ratios in 8 bits: what of them lies above 1, down to ``DEEP``, and below."""
    logs = np.log(np.maximum(np.arange(256, dtype=np.float32), 1) / ONE)
    return np.maximum(logs, 0), np.clip(logs, DEEP, 0), np.minimum(logs - DEEP, 0)
