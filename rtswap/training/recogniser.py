"""The recognition network (``assets/recognition.onnx``) as a module: it is trained here, and watches other trainings.

0.9 M parameters, 0.05 GMAC for a 96 px crop. Crop -> 128 numbers in the space of dlib's embeddings, whitened.
"""

from __future__ import annotations

from torch import Tensor, nn

from rtswap.training.layers import Residual, conv, to_input

SIZE = 96
LENGTH = 128


class RecognitionNetwork(nn.Module):
    """(N, 3, 96, 96) BGR -1..1 -> (N, 128), not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(3, 32, 6, 4),
            Residual(32),
            conv(32, 64, stride=2),
            Residual(64),
            Residual(64),
            conv(64, 128, stride=2),
            Residual(128),
        )
        self.squeeze = nn.Sequential(nn.Conv2d(128, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
        self.head = nn.Linear(64 * (SIZE // 16) ** 2, LENGTH)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Embed."""
        vector: Tensor = self.head(self.dropout(self.squeeze(self.body(x)).flatten(1)))
        return vector

    def stages(self, x: Tensor) -> list[Tensor]:
        """Features (N, C, S, S) of 24, 12 and 6 px, and the 6 px that are embedded."""
        found = []
        for number, layer in enumerate(self.body):
            x = layer(x)
            if number in (1, 4, 6):
                found.append(x)
        return [*found, self.squeeze(x)]


class Deployed(nn.Module):
    """What is exported: ``crops`` (N, 96, 96, 3) uint8 BGR -> ``embedding`` (N, 128) of unit length."""

    def __init__(self, network: RecognitionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        """Embed."""
        return nn.functional.normalize(self.network(to_input(crops)), dim=1, eps=1e-6)
