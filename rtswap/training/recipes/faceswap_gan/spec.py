"""What faceswap-GAN says of itself."""

from __future__ import annotations

from rtswap.app.options import choice, choices, integer, switch
from rtswap.app.sections import PARTS
from rtswap.training.spec import CAPACITY, RESOLUTION, UNIFORM_YAW, RecipeSpec, TrainOption

OPTIONS = (
    RESOLUTION,
    CAPACITY,
    TrainOption("--code-dims", integer("N", 8, 4096), None, "width of the bottleneck"),
    TrainOption("--norm", choice("none", "instance", "hybrid"), None, "how the layers are normalised"),
    TrainOption("--attention", integer("PX", 0, 64), None, "side of the largest maps with self-attention; 0: none"),
    TrainOption("--critic-dims", integer("N", 8, 256), None, "width of the critics"),
    TrainOption(
        "--alpha",
        choice("guided", "free"),
        "guided",
        "guided: the attention mask learns where the face is; free: as in the original, it learns without help",
    ),
    TrainOption(
        "--learn-parts",
        choices(*PARTS),
        None,
        "learn only these parts of the source, the rest stays the target's: eyes, nose, mouth [all]",
    ),
    TrainOption(
        "--exchange",
        switch(),
        False,
        "swap the decoders at four fifths, as the original; for long runs",
    ),
    TrainOption("--cycle", switch(), False, "also a cycle consistency loss; slower"),
    UNIFORM_YAW,
)
SIZES = {
    "small": {
        "resolution": 96, "capacity": "lite", "code_dims": 512, "norm": "none", "attention": 16,
        "critic_dims": 32,
    },
    "full": {
        "resolution": 128, "capacity": "standard", "code_dims": 1024, "norm": "instance", "attention": 64,
        "critic_dims": 64,
    },
}  # fmt: skip
"""``full``: the original's; ``small``: for two cores, where normalising would cost a third of the speed."""


SPECS = (
    RecipeSpec(
        "faceswap-gan",
        "shaoanlu's faceswap-GAN: makes its own attention mask",
        "faceswap_gan.recipe:FaceswapGanRecipe",
        OPTIONS,
        SIZES,
    ),
)
