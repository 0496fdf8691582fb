"""The section ``models`` of the configuration: settings of the models that users import (``docs/models.md``)."""

from __future__ import annotations

from dataclasses import dataclass

from rtswap.app.option_kinds import detector, enhancer, runs_foreign_part
from rtswap.app.options import integer, number, option
from rtswap.app.trust import always


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Imported models"""

    detector: str = option(
        "mtcnn",
        detector(),
        "--detector",
        help="face detector: mtcnn comes with rtswap, the others are imported models",
        own=always,
    )
    boost: int = option(
        1,
        integer("N", 1, 4),
        "--boost",
        help="run an imported swapper at N times its resolution: N x N runs, for files and GPUs",
    )
    morph: float = option(
        0.75,
        number("K", 0, 1),
        "--morph",
        help="how far the shape follows the DFM's face instead of the target's, for DFM files with that input",
    )
    coverage: float = option(
        0.95,
        number("K", 0.3, 1),
        "--coverage",
        help="how much of the face an imported or trained model swaps: 1 is up to its outline, less keeps its border",
        own=always,
    )
    enhance: str = option(
        "none",
        enhancer(),
        "--enhance",
        help="imported model that restores the swapped face",
        own=runs_foreign_part,
    )
    enhance_weight: float = option(
        0.5,
        number("W", 0, 1),
        "--enhance-weight",
        help="CodeFormer: 0 restores more, 1 stays closer to the swapped face",
    )
    enhance_blend: float = option(0.8, number("K", 0, 1), "--enhance-blend", help="opacity of the enhancer's result")
    enhance_every: int = option(
        1,
        integer("N", 1, 30),
        "--enhance-every",
        help="run the enhancer on every N-th frame of a face; its detail follows the face in between",
    )
