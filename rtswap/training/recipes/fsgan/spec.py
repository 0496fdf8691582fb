"""What FSGAN says of itself."""

from __future__ import annotations

from rtswap.app.options import switch
from rtswap.training.spec import CAPACITY, RESOLUTION, RecipeSpec, TrainOption

OPTIONS = (
    RESOLUTION,
    CAPACITY,
    TrainOption("--faithful", switch(), False, "as in the original: do not warp the views by their landmarks first"),
)
SIZES = {
    "small": {"resolution": 128, "capacity": "lite"},
    "full": {"resolution": 256, "capacity": "standard"},
}


SPECS = (
    RecipeSpec(
        "fsgan",
        "FSGAN: turns the photo's head, fills in what is hidden, blends",
        "fsgan.recipe:FsganRecipe",
        OPTIONS,
        SIZES,
        kind="one-shot",
    ),
)
