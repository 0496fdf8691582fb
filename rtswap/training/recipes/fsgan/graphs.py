"""The three graphs of FSGAN as they are exported: pixels are BGR uint8 going in and float32 0..255 coming out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rtswap.training.layers import to_input
from rtswap.training.recipes.fsgan.network import Fsgan
from rtswap.training.system_file import Graph
from rtswap.vision.geometry import canonical


class Layout(nn.Module):
    """One of the networks in this layout. Pictures (1, S, S, 3) and masks (1, S, S) are uint8, landmarks (1, 468, 3)
    float32 px."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *given: Tensor) -> Tensor:
        """(1, S, S, 3) float32 0..255."""
        made: Tensor = self.network(*(self._number(one) for one in given))
        return ((made + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1)

    def _number(self, given: Tensor) -> Tensor:
        if given.dtype != torch.uint8:
            return given
        return to_input(given) if given.ndim == 4 else given[:, None].to(torch.float32) * (1 / 255)


def graphs_of(network: Fsgan) -> dict[str, Graph]:
    """``reenact``, ``inpaint`` and ``blend`` by their names. An assisted network's view has been moved, and is named
    ``warped``."""
    side = network.dims.resolution
    rng = np.random.default_rng(0)
    face, target = (torch.from_numpy(rng.integers(0, 256, (1, side, side, 3), np.uint8)) for _ in range(2))
    mask = torch.zeros(1, side, side, dtype=torch.uint8)
    mask[:, side // 4 : -side // 4, side // 4 : -side // 4] = 255
    points = torch.from_numpy(canonical().mesh * np.float32(side / 4) + np.float32(side / 2))[None]
    view = "warped" if network.assisted else "view"
    return {
        "reenact": Graph(
            Layout(network.reenact), {view: face, "view_points": points, "points": points + 1}, ("face",)
        ),
        "inpaint": Graph(Layout(network.inpaint), {"face": face, "hole": mask}, ("filled",)),
        "blend": Graph(Layout(network.blend), {"face": face, "target": target, "mask": mask}, ("blended",)),
    }
