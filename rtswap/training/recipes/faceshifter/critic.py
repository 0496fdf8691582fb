"""The critic of FaceShifter's pictures."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class Patches(nn.Sequential):
    """Pictures (N, 3, R, R) -> how real each patch looks (N, 1, r, r). ``sizes``: channels of layers that halve the
    side; ``deep``: of one more that does not, 0: none."""

    def __init__(self, sizes: tuple[int, ...], deep: int) -> None:
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise((3, *sizes, *([deep] if deep else [])))):
            layers.append(nn.Conv2d(a, b, 4, 2 if number < len(sizes) else 1, 2))
            if deep and number:
                layers.append(nn.InstanceNorm2d(b))
            layers.append(nn.LeakyReLU(0.2))
        super().__init__(*layers, nn.Conv2d(deep or sizes[-1], 1, 4, 1, 2))


class Critic(nn.Module):
    """Looks at pictures (N, 3, R, R) at ``scales``, each half as large as the one before."""

    def __init__(self, sizes: tuple[int, ...], deep: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(Patches(sizes, deep) for _ in range(scales))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Scores of the patches at each scale."""
        found = []
        for number, patches in enumerate(self.scales):
            if number:
                pictures = functional.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
            found.append(patches(pictures))
        return found
