"""What FSGAN says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtswap.app.options import switch
from rtswap.training.spec import CAPACITY, RESOLUTION, RecipeSpec, TrainOption

if TYPE_CHECKING:
    from rtswap.training.recipe import Recipe

OPTIONS = (
    RESOLUTION,
    CAPACITY,
    TrainOption("--faithful", switch(), False, "as in the original: do not warp the views by their landmarks first"),
)
SIZES = {
    "small": {"resolution": 128, "capacity": "lite"},
    "full": {"resolution": 256, "capacity": "standard"},
}


def _load() -> Callable[..., Recipe]:
    from rtswap.training.recipes.fsgan.recipe import FsganRecipe

    return FsganRecipe


SPECS = (
    RecipeSpec(
        "fsgan",
        "FSGAN: turns the photo's head, fills in what is hidden, blends",
        _load,
        OPTIONS,
        SIZES,
        kind="one-shot",
    ),
)
