"""The graphs of FaceShifter that are exported."""

from __future__ import annotations

from torch import Tensor, nn

from rtswap.training.layers import to_input
from rtswap.training.recipes.faceshifter.network import Aei, Bound


class BindGraph(nn.Module):
    """``photo`` (1, R, R, 3) uint8, ``embedding`` (1, 128) -> ``identity`` (1, K), ``start`` (1, C, S, S)."""

    def __init__(self, aei: Aei) -> None:
        super().__init__()
        self.aei = aei

    def forward(self, photo: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Bind."""
        return self.aei.bind(to_input(photo), embedding)


class FrameGraph(nn.Module):
    """``face`` (1, R, R, 3) uint8, what ``BindGraph`` made and, assisted, ``warped`` (1, R, R, 3) uint8 ->
    ``swapped`` (1, R, R, 3), 0..255."""

    def __init__(self, aei: Aei) -> None:
        super().__init__()
        self.aei = aei

    def forward(self, face: Tensor, identity: Tensor, start: Tensor, warped: Tensor | None = None) -> Tensor:
        """Swap."""
        beside = None if warped is None else to_input(warped)
        made = self.aei(to_input(face), Bound(identity, start), beside)
        return ((made.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1)
