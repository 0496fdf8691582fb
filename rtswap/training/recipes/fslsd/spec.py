"""What FSLSD says of itself."""

from __future__ import annotations

from rtswap.app.options import integer, switch
from rtswap.training.recipes.style_prior.options import PRIOR, SIZES
from rtswap.training.spec import RecipeSpec, TrainOption, pixels_to_teach

OPTIONS = (
    *PRIOR,
    TrainOption("--structure", integer("ROWS", 4, 12), None, "style rows of the structure; in the paper 7 of 18"),
    TrainOption("--steady", switch(), False, "also train on moving faces, for films; a third slower"),
)


SPECS = (
    RecipeSpec(
        "fslsd",
        "FSLSD: the source's structure, the target's appearance",
        "fslsd.recipe:FslsdRecipe",
        OPTIONS,
        {"small": {**SIZES["small"], "structure": 5}, "full": {**SIZES["full"], "structure": 7}},
        kind="one-shot",
        faces_px=pixels_to_teach,
    ),
)
