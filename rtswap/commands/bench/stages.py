"""Compute the minimum number of bytes that each stage of the loop moves for one face."""

from __future__ import annotations

from rtswap.commands.bench.rig import TARGETS, Rig
from rtswap.core.types import Quality
from rtswap.vision.talking_head import Motion


def stage_bytes(rig: Rig, size: tuple[int, int], face_px: int) -> dict[str, float]:
    """Return stage -> bytes read and written once, for a face ``face_px`` wide in a frame of (width, height)
    ``size``. A frame has 3 bytes per pixel, a mask 1. ``costs`` counts the networks separately."""
    swapper = rig.program().swappers[0]
    mesh = rig.people.head(TARGETS[0], face_px).mesh(Motion.at(0.0))
    _, (width, height) = swapper.view(mesh, Quality().max_face_px)
    shown = float(width * height)
    return {
        "crop": 6 * shown,  # from the frame, into the crop
        "swap": 7 * shown,  # the crop, the swap, its mask
        "finish": 11 * shown,  # crop, swap and mask read, swap and mask written
        "paste": 10 * shown,  # swap, mask and frame read, frame written
        "mark": 6.0 * size[0] * size[1],  # the frame read and written
    }
