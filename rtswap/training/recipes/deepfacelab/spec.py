"""The options and texts of DF and LIAE."""

from __future__ import annotations

from rtswap.app.options import choice, integer, number, switch
from rtswap.training.spec import RESOLUTION, UNIFORM_YAW, RecipeSpec, TrainOption

OPTIONS = (
    RESOLUTION,
    TrainOption("--options", choice("none", "u", "d", "t", "ud", "ut", "dt", "udt"), "ud",
                "u: likeness, d: twice the resolution at the same cost, t: a deeper encoder"),
    TrainOption("--ae-dims", integer("N", 8, 1024), None, "width of the bottleneck"),
    TrainOption("--e-dims", integer("N", 4, 256), None, "width of the encoder"),
    TrainOption("--d-dims", integer("N", 4, 256), None, "width of the decoder"),
    TrainOption("--d-mask-dims", integer("N", 4, 256), None, "width of the mask's decoder"),
    TrainOption("--no-features-priority", switch(), False, "eyes and mouth count no more than the rest"),
    TrainOption("--random-color", switch(), False, "give the source the colours of random target faces"),
    UNIFORM_YAW,
    TrainOption("--face-style-power", number("N", 0, 100), 0, "pull the swap's colours to the target's; try 0.1"),
    TrainOption("--bg-style-power", number("N", 0, 100), 0, "pull the surroundings to the target's; try 0.1"),
    TrainOption("--gan-power", number("N", 0, 5), 0, "weight of the GAN loss in the last fifth, for skin; try 0.1"),
)  # fmt: skip
TRUE_FACE = TrainOption(
    "--true-face-power", number("N", 0, 1), 0, "make the swap more like the source, less like the target; try 0.01"
)
RESETS = TrainOption(
    "--resets", integer("N", 0, 20), 0, "reset the shared layers N times, for a target of many people"
)
SIZES = {
    "small": {"resolution": 128, "ae_dims": 96, "e_dims": 24, "d_dims": 24, "d_mask_dims": 8},
    "full": {"resolution": 128, "ae_dims": 256, "e_dims": 64, "d_dims": 64, "d_mask_dims": 22},
}
"""``full``: DeepFaceLab's defaults; ``small``: 25 pairs of faces a second on two cores with AMX."""

SPECS = (
    RecipeSpec(
        "df",
        "DeepFaceLab's DF: keeps the source's shape best",
        "deepfacelab.recipe:DfRecipe",
        (*OPTIONS, TRUE_FACE),
        SIZES,
    ),
    RecipeSpec(
        "liae",
        "DeepFaceLab's LIAE: follows the target's light and angles best",
        "deepfacelab.recipe:LiaeRecipe",
        (*OPTIONS, RESETS),
        SIZES,
    ),
)
