"""The landmark network: 1.45 M parameters, 0.08 GMAC for a 128 px crop.

Dense 3x3 convolutions at 32, 16 and 8 px, where CPUs run them best. Ninety-six of the 468 points are looked for
where they are, as the centre of mass of a 16 x 16 map each (they move with the picture, so that little has to be
learned about where the crop lies). There the network looks a second time, at the finest features that it has, and
says by how much each was off. A small layer repairs the places that were looked for in vain, say under a hand,
from where the others are and how sure each map is. A linear layer then spreads them over the whole mesh, helped by a
code that describes the face as a whole; it starts as the least-squares fit of meshes to their 96 points.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.layers import Residual, conv, to_input
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

POINTS = 468
SIZE = 128
_STRIDE = 8
_CLOSER, _READ = 16, 48
"""Features in each of the nine places of the second look, and what is made of them."""
_NOSE_AND_CHEEKS = [1, 4, 5, 6, 168, 2, 98, 327, 50, 280, 205, 425, 117, 346, 151, 9]
ANCHORS = [
    *LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER[::2], *LIPS_INNER[::2], *LEFT_BROW[::2], *RIGHT_BROW[::2], *OVAL[::2],
    *_NOSE_AND_CHEEKS,
]  # fmt: skip
"""The points that have a map of their own."""


class LandmarkNetwork(nn.Module):
    """(N, 3, 128, 128) BGR -1..1 -> points (N, 468, 3) and anchors (N, 2, 96, 2), at first and at second sight, in
    crop pixels, visibility (N, 468) and presence (N,) as logits."""

    def __init__(self, code: int = 128) -> None:
        super().__init__()
        count = len(ANCHORS)
        self.fine = nn.Sequential(conv(3, 32, 6, 4), conv(32, 32), conv(32, 48, stride=2), Residual(48))
        self.coarse = nn.Sequential(conv(48, 96, stride=2), Residual(96), Residual(96), Residual(96))
        self.lateral = nn.Conv2d(96, 48, 1)
        self.merge = conv(48, 48)
        self.sharpen = Residual(48)
        self.maps = nn.Conv2d(48, count, 1)
        self.closer = nn.Conv2d(32, _CLOSER, 1)
        self.second = SecondLook(count)
        self.squeeze = nn.Sequential(nn.Conv2d(96, 16, 1), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.code = nn.Linear(16 * (SIZE // 16) ** 2, code)
        self.repair = nn.Sequential(nn.Linear(3 * count + code, 96), nn.ReLU(inplace=True), nn.Linear(96, 2 * count))
        self.points = nn.Linear(2 * count + code, POINTS * 3)
        self.seen = nn.Linear(count + code, POINTS + 1)
        nn.init.normal_(self.maps.weight, std=0.1)
        nn.init.zeros_(self.repair[2].weight)
        nn.init.zeros_(self.repair[2].bias)
        side = torch.arange(SIZE // _STRIDE, dtype=torch.float32) * _STRIDE + (_STRIDE - 1) / 2
        grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(-1, 2)
        self.register_buffer("grid", (grid - SIZE / 2) / SIZE)

    def grow_from(self, older: Mapping[str, Tensor]) -> None:
        """Take over every weight of an ``older`` network that has the same name and shape; the rest stays fresh."""
        own = self.state_dict()
        self.load_state_dict({n: v for n, v in older.items() if n in own and v.shape == own[n].shape}, strict=False)

    def start_from(self, meshes: Tensor) -> None:
        """Let the last layer begin as the ridge regression from anchors to ``meshes`` (M, 468, 3), crop pixels."""
        known = ((meshes[:, ANCHORS, :2] - SIZE / 2) / SIZE).clamp(-0.5, 0.5).flatten(1)
        known = known + 0.008 * torch.randn_like(known)
        known = torch.cat([known, torch.ones(len(known), 1)], 1).double()
        gram = known.T @ known + 0.05 * torch.eye(known.shape[1], dtype=torch.float64)
        solution = torch.linalg.solve(gram, known.T @ meshes.flatten(1).double()).float()
        with torch.no_grad():
            self.points.weight[:, : 2 * len(ANCHORS)] = solution[:-1].T
            self.points.weight[:, 2 * len(ANCHORS) :].mul_(0.1)
            self.points.bias.copy_(solution[-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.read(*self.look(x))

    def look(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 96, 16, 16) maps, (N, 16, 32, 32) details, (N, 96, 8, 8) the whole face. Convolutions: bf16 will do."""
        details = self.fine[:2](x)
        fine = self.fine[2:](details)
        coarse = self.coarse(fine)
        context = nn.functional.interpolate(self.lateral(coarse), scale_factor=2.0, mode="nearest")
        return self.maps(self.sharpen(self.merge(fine + context))), self.closer(details), coarse

    def read(self, maps: Tensor, details: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The outputs from what ``look`` saw; in fp32, for places are fractions of a pixel."""
        maps = maps.flatten(2)
        shares = torch.softmax(maps, 2)
        first = shares @ self.grid
        places = first + self.second(details, first.detach())
        code = self.code(self.squeeze(coarse).flatten(1))
        known = places.flatten(1)
        repaired = known + self.repair(torch.cat([known, shares.amax(2), code], 1))
        points = self.points(torch.cat([repaired, code], 1)).unflatten(1, (POINTS, 3))
        seen = self.seen(torch.cat([maps.amax(2) * 0.1, code], 1))
        anchors = torch.stack([first, places], 1) * SIZE + SIZE / 2
        return points, anchors, seen[:, :POINTS], seen[:, POINTS]


class SecondLook(nn.Module):
    """Details (N, 16, 32, 32) and places (N, A, 2), crop sides from the crop's middle -> by how much these are off.

    The details are read in 3 x 3 places, 4 px apart, around each; what they mean is learnt for all alike, what
    follows from it for each on its own. It begins with no answer.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.randn(9 * _CLOSER, _READ) / (9 * _CLOSER) ** 0.5)
        self.which = nn.Parameter(torch.zeros(count, _READ))
        self.off = nn.Parameter(torch.zeros(count, _READ, 2))
        steps = torch.tensor([-4.0, 0.0, 4.0])
        around = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(1, 1, 9, 2)
        self.register_buffer("around", (2 * around + 1) / SIZE)

    def forward(self, details: Tensor, places: Tensor) -> Tensor:
        at = 2 * places[:, :, None] + self.around
        there = nn.functional.grid_sample(details, at, padding_mode="border", align_corners=False)
        told = torch.relu(there.permute(0, 2, 3, 1).flatten(2) @ self.read + self.which)
        return (told[..., None] * self.off).sum(2)


class Deployed(nn.Module):
    """What is exported: ``crops`` (N, 128, 128, 3) uint8 BGR -> points, visibility 0..1, presence 0..1."""

    def __init__(self, network: LandmarkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points, _, visibility, presence = self.network(to_input(crops))
        return points, torch.sigmoid(visibility), torch.sigmoid(presence)


WEIGHTS = {
    "points": 1.0,
    "anchors": 0.5,
    "depth": 0.3,
    "shape": 1.5,
    "spans": 0.3,
    "measures": 0.1,
    "presence": 0.02,
    "visibility": 0.03,
}
_EYES = (33, 133, 362, 263)
_SPANS = ((61, 291), (78, 308), (0, 17), (105, 159), (334, 386))
"""Width of the mouth, outside and inside, height of both lips, brows over the lids: what tells a smile."""
_MEASURES = (((13, 14),), ((61, 291),), ((160, 144), (159, 145), (158, 153)), ((387, 373), (386, 374), (385, 380)))
"""Opposite points of opening and width of the mouth and of either eye's opening, as in ``swappers.mesh.shape``."""
_BROWS = (([70, 63, 105, 66, 107], [33, 133]), ([336, 296, 334, 293, 300], [362, 263]))
"""Brows and the corners of the eyes below them."""
_SPREADS = (0.1, 0.08, 0.03, 0.03, 0.04, 0.04)
"""Inter-ocular distances by which expressions change the measures: errors count relative to these, as their squares,
so that what is hard to see is not read as nothing."""
_NEAR = 0.01
"""In inter-ocular distances: below it the error counts as its square, above it as it is."""


def point_weights() -> Tensor:
    """(468,) mean 1: eyelids and lips count 4, brows 3, the outline 2, the rest 1."""
    weights = torch.ones(468)
    for ring, weight in (
        ((*LEFT_EYE, *RIGHT_EYE, *LIPS_INNER, *LIPS_OUTER), 4.0),
        ((*LEFT_BROW, *RIGHT_BROW), 3.0),
        (OVAL, 2.0),
    ):
        weights[list(ring)] = weight
    return weights / weights.mean()


def losses(
    outputs: tuple[Tensor, Tensor, Tensor, Tensor], points: Tensor, visible: Tensor, present: Tensor, weights: Tensor
) -> dict[str, Tensor]:
    """Named terms, unweighted. ``points`` (N, 468, 3) crop px, ``visible`` (N, 468) and ``present`` (N,) 0..1.

    Points and visibility count only where a face is present; a hidden point counts as much as a seen one.
    """
    found, anchors, seen, presence = outputs
    left, right = points[:, list(_EYES[:2])].mean(1), points[:, list(_EYES[2:])].mean(1)
    unit = (right - left).norm(dim=-1).clamp_min(4.0)
    error = (found - points) / unit[:, None, None]
    each = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=_NEAR, reduction="none")
    share = weights * present[:, None]
    total = share.sum().clamp_min(1.0)
    wanted = points[:, ANCHORS, :2]
    inside = ((wanted > 0) & (wanted < SIZE)).all(-1) * present[:, None]
    off = (anchors - wanted[:, None]) / unit[:, None, None, None]
    off = functional.smooth_l1_loss(off, torch.zeros_like(off), beta=_NEAR, reduction="none").sum(-1).mean(1)
    # The openings of eyes and mouth, as differences: what a viewer notices first.
    above, below = _lid_pairs()
    opening = (error[:, above] - error[:, below])[..., :2]
    shape = functional.smooth_l1_loss(opening, torch.zeros_like(opening), beta=_NEAR, reduction="none").mean((1, 2))
    first, second = zip(*_SPANS, strict=True)
    span = (error[:, list(first)] - error[:, list(second)])[..., :2]
    spans = functional.smooth_l1_loss(span, torch.zeros_like(span), beta=_NEAR, reduction="none").mean((1, 2))
    apart = (_measures(found) - _measures(points)) / unit[:, None] / unit.new_tensor(_SPREADS)
    measures = functional.smooth_l1_loss(apart, torch.zeros_like(apart), reduction="none").mean(1)
    bce = functional.binary_cross_entropy_with_logits
    seen_each = bce(seen, visible, reduction="none").mean(1)
    faces = present.sum().clamp_min(1.0)
    return {
        "points": (each[..., :2].sum(-1) * share).sum() / total,
        "anchors": (off * inside).sum() / inside.sum().clamp_min(1.0),
        "depth": (each[..., 2] * share).sum() / total,
        "shape": (shape * present).sum() / faces,
        "spans": (spans * present).sum() / faces,
        "measures": (measures * present).sum() / faces,
        "presence": bce(presence, present),
        "visibility": (seen_each * present).sum() / faces,
    }


def _measures(points: Tensor) -> Tensor:
    """(N, 6) in px of (N, 468, 3): ``_MEASURES`` and the height of both brows."""
    openings = [
        torch.stack([(points[:, a] - points[:, b]).norm(dim=-1) for a, b in pairs]).mean(0) for pairs in _MEASURES
    ]
    brows = [(points[:, brow].mean(1) - points[:, corners].mean(1)).norm(dim=-1) for brow, corners in _BROWS]
    return torch.stack([*openings, *brows], 1)


def _lid_pairs() -> tuple[list[int], list[int]]:
    above, below = [], []
    for ring in (LEFT_EYE, RIGHT_EYE):
        above += ring[9:16]
        below += ring[1:8][::-1]
    above += LIPS_INNER[11:]
    below += LIPS_INNER[1:10][::-1]
    return above, below
