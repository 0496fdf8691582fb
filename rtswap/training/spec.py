"""What a recipe says of itself: ``rtswap train``, its help and the docs read it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pkgutil import resolve_name
from typing import Any, Literal

from rtswap.app.options import Kind, choice, integer, switch


@dataclass(frozen=True, slots=True, eq=False)
class TrainOption:
    """One option of a recipe."""

    flag: str
    kind: Kind
    default: Any
    """None: what ``RecipeSpec.sizes`` says."""
    help: str

    @property
    def name(self) -> str:
        """Its attribute among a recipe's arguments."""
        return self.flag.removeprefix("--").replace("-", "_")


RESOLUTION = TrainOption(
    "--resolution",
    integer("PX", 32, 640),
    None,
    "side of the faces: a multiple of 16, with d or t of 32; faceswap-gan: 64, 96, 128, 192, 256, 384 or 512; "
    "faceshifter, fslsd and megafs: a power of two from 64 on",
)
CAPACITY = TrainOption("--capacity", choice("lite", "standard"), None, "lite: narrower; standard: the original's")
TEACHER = TrainOption(
    "--teacher",
    choice("mesh", "none"),
    "mesh",
    "mesh: learn what mesh makes of pairs of people, which is drawn first; none: from photos and the recogniser",
)
UNIFORM_YAW = TrainOption("--uniform-yaw", switch(), False, "show all angles of the head equally often")


@dataclass(frozen=True, slots=True)
class RecipeSpec:
    """A recipe that learns a swapper from facesets."""

    name: str
    """``rtswap train NAME``."""
    summary: str
    recipe: str
    """``folder.module:class`` in ``recipes``. The class takes the arguments and what it learns from (``kind``)."""
    options: tuple[TrainOption, ...]
    sizes: dict[str, dict[str, Any]]
    """Size -> the options that it sets, the usual size first."""
    kind: Literal["pair", "one-shot"] = "pair"
    """What it learns from and writes. ``pair``: two ``Person``, the source and the target; a DFM file that puts the
    one on the other. ``one-shot``: a ``Crowd``; a ``.rtswap`` file that puts any photo on any face."""

    faces_px: Callable[[Any], int] = attrgetter("resolution")
    """Options -> side of the faces that a one-shot recipe is given."""

    def load(self) -> Any:
        """Return the recipe's class. Imports torch."""
        return resolve_name(f"rtswap.training.recipes.{self.recipe}")

    @property
    def suffix(self) -> str:
        """Of the file that it writes."""
        return ".dfm" if self.kind == "pair" else ".rtswap"


def pixels_to_teach(options: Any) -> int:
    """Side of the faces that a one-shot recipe is given: twice its own where ``mesh`` swaps them first, since what
    was resampled twice is soft."""
    return int(options.resolution) * (2 if options.teacher == "mesh" else 1)
