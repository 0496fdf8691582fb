"""What both recipes of a style prior can be told."""

from __future__ import annotations

from rtswap.app.options import choice, number, text
from rtswap.training.spec import RESOLUTION, TEACHER, TrainOption

PRIOR = (
    RESOLUTION,
    TrainOption("--prior-layout", choice("small", "full"), None, "layer sizes. small: for CPUs; full: the papers'"),
    TrainOption(
        "--prior",
        text("FILE", "a checkpoint.pt of fslsd or megafs"),
        None,
        "take the style prior of another training, and learn only the swap",
    ),
    TEACHER,
    TrainOption("--pull", number("N", 0, 50), 3, "weight of the identity loss"),
    TrainOption("--adversarial", number("N", 0, 5), 0.05, "weight of the GAN loss in the last third of each phase"),
)
SIZES = {
    "small": {"resolution": 64, "prior_layout": "small"},
    "full": {"resolution": 1024, "prior_layout": "full"},
}
