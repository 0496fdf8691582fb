"""What MegaFS says of itself."""

from __future__ import annotations

from rtswap.app.options import choice, integer
from rtswap.training.recipes.style_prior.options import PRIOR, SIZES
from rtswap.training.spec import RecipeSpec, TrainOption, pixels_to_teach

OPTIONS = (
    *PRIOR,
    TrainOption("--kept", integer("ROWS", 1, 12), None, "style rows kept from the target; in the paper 4 of 18"),
    TrainOption(
        "--encoder",
        choice("pyramid", "hierfe"),
        None,
        "face encoder. pyramid: as in fslsd; hierfe: the paper's, which also makes the generator's first input",
    ),
)


SPECS = (
    RecipeSpec(
        "megafs",
        "MegaFS: exchanges the finer style rows",
        "megafs.recipe:MegafsRecipe",
        OPTIONS,
        {
            "small": {**SIZES["small"], "kept": 2, "encoder": "pyramid"},
            "full": {**SIZES["full"], "kept": 4, "encoder": "hierfe"},
        },
        kind="one-shot",
        faces_px=pixels_to_teach,
    ),
)
