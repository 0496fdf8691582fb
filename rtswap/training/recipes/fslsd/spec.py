"""What FSLSD says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtswap.app.options import integer, switch
from rtswap.training.recipes.style_prior.options import PRIOR, SIZES
from rtswap.training.spec import RecipeSpec, TrainOption, pixels_to_teach

if TYPE_CHECKING:
    from rtswap.training.recipe import Recipe

OPTIONS = (
    *PRIOR,
    TrainOption("--structure", integer("ROWS", 4, 12), None, "style rows of the structure; in the paper 7 of 18"),
    TrainOption("--steady", switch(), False, "also train on moving faces, for films; a third slower"),
)


def _load() -> Callable[..., Recipe]:
    from rtswap.training.recipes.fslsd.recipe import FslsdRecipe

    return FslsdRecipe


SPECS = (
    RecipeSpec(
        "fslsd",
        "FSLSD: the source's structure, the target's appearance",
        _load,
        OPTIONS,
        {"small": {**SIZES["small"], "structure": 5}, "full": {**SIZES["full"], "structure": 7}},
        kind="one-shot",
        faces_px=pixels_to_teach,
    ),
)
