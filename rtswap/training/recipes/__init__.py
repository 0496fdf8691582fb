"""The recipes that ``rtswap train`` knows."""

from __future__ import annotations

from rtswap.training.recipes.deepfacelab.spec import SPECS as DEEPFACELAB
from rtswap.training.spec import RecipeSpec

RECIPES: tuple[RecipeSpec, ...] = DEEPFACELAB
