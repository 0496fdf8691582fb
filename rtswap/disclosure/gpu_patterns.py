"""The badge and the invisible mark as the arrays that the canvas on a GPU writes them from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtswap.disclosure.badge import DEAD_BAND, MIDDLE_GREY, PATIENCE, Badge, render
from rtswap.disclosure.gpu import Pattern, Plate
from rtswap.disclosure.watermark import LEAST_SIDE, STRENGTHS, Payload
from rtswap.disclosure.watermark_gain import BUSY, ENTER, SAMPLES, STAY, Gain
from rtswap.disclosure.watermark_pattern import tile, tile_side


def patterns(payload: Payload | None) -> Callable[[int, int], Pattern | None]:
    """The invisible mark for a frame of (width, height): None without a payload, and for too small frames."""

    def made(width: int, height: int) -> Pattern | None:
        if payload is None or min(width, height) < LEAST_SIDE:
            return None
        side = tile_side(width, height)
        plane = tile(payload.message(), side)
        gain = Gain(width, height, side)
        return Pattern(
            tiles=np.stack([np.rint(plane * strength).astype(np.int8) for strength in STRENGTHS]),
            columns=tuple(gain.x),
            rows=tuple(gain.y),
            samples=gain.samples,
            per_block=SAMPLES,
            busy=BUSY,
            enter=ENTER,
            stay=STAY,
        )

    return made


def plates(badge: Badge | None) -> Callable[[int, int], Plate | None]:
    """The badge for a frame of (width, height): None without one."""

    def made(width: int, height: int) -> Plate | None:
        if badge is None:
            return None
        patch = render(badge, width, height)
        return Plate(
            corner=(patch.x, patch.y),
            inks=tuple(layer.ink for layer in patch.layers),
            keeps=tuple(layer.keep for layer in patch.layers),
            middle=MIDDLE_GREY,
            band=DEAD_BAND,
            patience=PATIENCE,
        )

    return made
