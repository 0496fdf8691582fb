"""What a person looks at while the network learns: curves and a contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def contact_sheet(
    crops: NDArray[np.uint8],
    points: NDArray[np.float32],
    visibility: NDArray[np.float32],
    presence: NDArray[np.float32],
    path: Path,
    columns: int = 8,
    zoom: int = 2,
) -> None:
    """A PNG of crops with their points: green seen, red hidden; a red frame where no face is believed."""
    tiles = []
    for crop, mesh, seen, sure in zip(crops, points, visibility, presence, strict=True):
        tile = cv2.resize(crop, None, fx=zoom, fy=zoom)
        for (x, y, _), open_ in zip(mesh, seen, strict=True):
            centre = (round((float(x) + 0.5) * zoom), round((float(y) + 0.5) * zoom))
            cv2.circle(tile, centre, 1, (0, 255, 0) if open_ > 0.5 else (60, 60, 255), -1)
        if sure < 0.5:
            cv2.rectangle(tile, (0, 0), (tile.shape[1] - 1, tile.shape[0] - 1), (0, 0, 255), 4)
        tiles.append(tile)
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    cv2.imwrite(str(path), np.vstack(rows))


def curves(history: list[dict[str, float]], path: Path) -> None:
    """A PNG with one plot per recorded name over the minutes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = sorted({name for row in history for name in row} - {"minutes", "step"})
    figure, axes = pyplot.subplots((len(names) + 2) // 3, 3, figsize=(13, 2.6 * ((len(names) + 2) // 3)))
    for axis, name in zip(np.ravel(axes), names, strict=False):
        rows = [(row["minutes"], row[name]) for row in history if name in row]
        axis.plot(*zip(*rows, strict=True))
        axis.set_title(name)
        axis.set_yscale("log")
        axis.grid(True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    pyplot.close(figure)
