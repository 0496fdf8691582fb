"""Nobody in a crowd stays bare: all that the first detector finds count, not the best 64."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtswap import Swapper
from rtswap.source.personas import list_personas, persona_photo
from rtswap.vision.images import read_photo


@pytest.mark.parametrize(("count", "side"), [(12, 96), (16, 64)])
def test_everybody_in_a_wall_of_faces_is_swapped_or_covered(count: int, side: int) -> None:
    """Of 256 people 177 were bare, and of 144 57."""
    people = [read_photo(persona_photo(persona.name)) for persona in list_personas()]
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in people]
    rows = [np.hstack([small[(7 * row + column) % len(small)] for column in range(count)]) for row in range(count)]
    picture = np.asarray(np.vstack(rows), np.uint8)
    with Swapper("persona:ada", faces="one") as swapper:
        swapped = swapper.swap(picture).image
    changed = np.abs(swapped.astype(int) - picture).max(axis=2) > 25
    middle = slice(side // 4, side - side // 4)
    tiles = changed.reshape(count, side, count, side).swapaxes(1, 2)[:, :, middle, middle]
    assert tiles.mean(axis=(2, 3)).min() > 0.1
