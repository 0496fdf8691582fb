"""The options and texts of FaceShifter."""

from __future__ import annotations

from typing import Any

from rtswap.app.options import choice, number
from rtswap.training.spec import RESOLUTION, TEACHER, RecipeSpec, TrainOption, pixels_to_teach

OPTIONS = (
    RESOLUTION,
    TrainOption(
        "--variant",
        choice("faithful", "assisted"),
        "faithful",
        "faithful: from photo and identity vector; assisted: the network corrects the swap of mesh",
    ),
    TEACHER,
    TrainOption(
        "--layout",
        choice("small", "tao", "maum"),
        None,
        "layer sizes: small, or as taotaonice's or maum's",
    ),
    TrainOption(
        "--hear",
        number("SHARE", 0, 0.9),
        0,
        "share of the time to train HEAR-Net, which restores what is in front of a face; try 0.2",
    ),
    TrainOption("--identity-weight", number("N", 0, 50), 0.5, "weight of the identity loss"),
    TrainOption(
        "--critic-weight",
        number("N", 0, 5),
        0.1,
        "weight of the GAN loss in the last two fifths",
    ),
)
SIZES = {
    "small": {"resolution": 128, "layout": "small"},
    "full": {"resolution": 256, "layout": "tao"},
}
"""``full``: taotaonice's sizes with a photo's encoder; ``small``: for CPUs."""


def _faces_px(options: Any) -> int:
    """As other recipes', and larger where the network corrects ``mesh``."""
    return 2 * options.resolution if options.variant == "assisted" else pixels_to_teach(options)


SPECS = (
    RecipeSpec(
        "faceshifter",
        "FaceShifter: any photo on any face",
        "faceshifter.recipe:FaceShifterRecipe",
        OPTIONS,
        SIZES,
        kind="one-shot",
        faces_px=_faces_px,
    ),
)
