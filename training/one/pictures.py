"""The contact sheet: always the same hard pairs, source | target | mesh | one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.one.losses import mended
from training.one.network import One
from training.one.pairs import Pairs
from training.one.pool import Pool

COUNT, ACROSS, ZOOM = 24, 3, 1.25


def contact_sheet(one: One, pairs: Pairs, path: Path, device: str) -> None:
    """A PNG of the first pairs as the network mends them now."""
    rows = np.arange(min(COUNT, len(pairs)))
    batch = Pool.of(pairs, device).batch(torch.from_numpy(rows).to(device))
    one.eval()
    with torch.no_grad():
        output = mended(batch, one(*batch.given)).picture
    one.train()
    made = ((output.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
    photos = (cv2.resize(photo, made.shape[1:3]) for photo in pairs.photo[rows])
    shown = zip(photos, pairs.target[rows], pairs.composite[rows], made, strict=True)
    write_sheet([np.hstack(four) for four in shown], path, ACROSS, ZOOM * 128 / made.shape[1])


def write_sheet(tiles: list[NDArray[np.uint8]], path: Path, across: int, zoom: float = 1.0) -> None:
    """Tiles of one size, ``across`` of them side by side."""
    blank = np.full((tiles[0].shape[0], 8, 3), 255, np.uint8)
    tiles = [np.hstack([tile, blank]) for tile in tiles]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % across)
    sheet = np.vstack([np.hstack(tiles[i : i + across]) for i in range(0, len(tiles), across)])
    cv2.imwrite(str(path), cv2.resize(sheet, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC))
