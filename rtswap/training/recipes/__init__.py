"""The recipes that ``rtswap train`` knows."""

from __future__ import annotations

from rtswap.training.recipes.deepfacelab.spec import SPECS as DEEPFACELAB
from rtswap.training.recipes.faceshifter.spec import SPECS as FACESHIFTER
from rtswap.training.recipes.faceswap_gan.spec import SPECS as FACESWAP_GAN
from rtswap.training.recipes.fsgan.spec import SPECS as FSGAN
from rtswap.training.recipes.fslsd.spec import SPECS as FSLSD
from rtswap.training.recipes.megafs.spec import SPECS as MEGAFS
from rtswap.training.spec import RecipeSpec

RECIPES: tuple[RecipeSpec, ...] = (*DEEPFACELAB, *FACESWAP_GAN, *FACESHIFTER, *FSGAN, *FSLSD, *MEGAFS)
