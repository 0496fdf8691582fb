"""FSGAN on people kept out of training: its networks on fixed samples, and the swapper as it runs live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rtswap.core.types import Image, SourceIdentity, Target
from rtswap.core.types import Tensor as Array
from rtswap.swappers.fsgan.swapper import FsganSwapModel, FsganSwapper, Stages
from rtswap.training.crowd import Crowd
from rtswap.training.identity import Perception
from rtswap.training.layers import to_input
from rtswap.training.losses import decibels
from rtswap.training.pictures import write_sheet
from rtswap.training.recipes.fsgan.graphs import Layout, graphs_of
from rtswap.training.recipes.fsgan.network import Fsgan
from rtswap.training.recipes.fsgan.samples import Samples

COUNT, SHOWN = 24, 8
"""Samples and swaps of a trial; rows of a sheet."""
_COLUMNS = (
    *("source", "target", "turned", "filled", "swap", "a view", "view turned", "its truth"),
    *("a hole", "hole filled", "pasted", "blended", "by Poisson"),
)


class TorchEngine:
    """Implements ``protocols.Engine`` for a graph before it is exported."""

    name = "torch"

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        self._module, self._device = module, device

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run it; inputs in the graph's order."""
        with torch.no_grad():
            made = self._module(
                *(torch.from_numpy(np.ascontiguousarray(one)).to(self._device) for one in inputs.values())
            )
        return {"made": made.float().cpu().numpy()}


class Trial:
    """``crowd``: people kept out. Everything is drawn once."""

    def __init__(self, crowd: Crowd, perception: Perception, template: str, *, assisted: bool) -> None:
        self._crowd, self._perception, self._template, self._assisted = crowd, perception, template, assisted
        rng = np.random.default_rng(0)
        samples = Samples(crowd, COUNT, 0, assisted=assisted)
        self._drawn = {
            kind: [torch.from_numpy(np.stack(part)) for part in zip(*(make(rng) for _ in range(COUNT)), strict=True)]
            for kind, make in (("views", samples.views), ("hole", samples.hole), ("seam", samples.seam))
        }
        rows = rng.permutation(len(crowd))
        self._pairs = [(int(rows[i % len(rows)]), int(rows[(i + COUNT) % len(rows)])) for i in range(COUNT)]

    def __call__(self, network: Fsgan, picture: Path) -> dict[str, float]:
        """Figures of ``network``; the sheet goes to ``picture``: source, target, reenacted, filled, swapped; view,
        reenacted, photo; holes, filled; pasted, blended, by Poisson."""
        device = str(next(network.parameters()).device)
        figures, columns = self._networks(network, device)
        stages = self._swaps(network, device)
        swaps = [
            [self._crowd.pictures[i] for i, _ in self._pairs],
            [self._crowd.pictures[j] for _, j in self._pairs],
            *(list(part) for part in list(zip(*stages, strict=True))[:3]),
        ]
        for name, made in (("reenacted", swaps[2]), ("swapped", swaps[4])):
            vectors = self._perception.vectors(to_input(torch.from_numpy(np.stack(made))).to(device)).cpu().numpy()
            for whose, at in (("source", 0), ("target", 1)):
                goals = self._crowd.embeddings[[pair[at] for pair in self._pairs]]
                figures[f"{name}_to_{whose}"] = float((vectors * goals).sum(1).mean())
        write_sheet(picture, {name: part[:SHOWN] for name, part in zip(_COLUMNS, (*swaps, *columns), strict=True)})
        return figures

    def _networks(self, network: Fsgan, device: str) -> tuple[dict[str, float], list[list[Image]]]:
        _, view, points, truth, goal, mask = (part.to(device) for part in self._drawn["views"])
        _, face, hole, shown = (part.to(device) for part in self._drawn["hole"])
        _, pasted, target, inside, cloned = (part.to(device) for part in self._drawn["seam"])
        made = Layout(network.reenact)(view, points, goal)
        filled = Layout(network.inpaint)(face, hole)
        blended = Layout(network.blend)(pasted, target, inside)
        figures = {
            "view_psnr": psnr(made, truth, mask),
            "hole_psnr": psnr(filled, face, torch.minimum(hole, shown)),
            "blend_psnr": psnr(blended, cloned, inside),
        }
        holed = torch.where(hole[..., None] > 127, torch.zeros_like(face), face)
        naive = torch.where(inside[..., None] > 127, pasted, target)
        return figures, [images(part) for part in (view, made, truth, holed, filled, naive, blended, cloned)]

    def _swaps(self, network: Fsgan, device: str) -> list[Stages]:
        engines = {name: TorchEngine(graph.module, device) for name, graph in graphs_of(network).items()}
        crowd, side = self._crowd, network.dims.resolution
        model = FsganSwapModel(engines, self._template, side, self._assisted)
        found = []
        for i, j in self._pairs:
            swapper = model.bind(SourceIdentity(crowd.pictures[i], crowd.points[i]))
            assert isinstance(swapper, FsganSwapper)
            target = Target(0, crowd.pictures[j], crowd.points[j], np.ones(468, np.float32), 0.0)
            found.append(swapper.stages(target))
        return found


def psnr(made: Tensor, truth: Tensor, mask: Tensor) -> float:
    """dB of pictures (N, S, S, 3) 0..255 within masks (N, S, S)."""
    first, second = (part.permute(0, 3, 1, 2).float() for part in (made, truth))
    return decibels(first, second, mask[:, None].float() / 255, 255)


def images(part: Tensor) -> list[Image]:
    """(N, S, S, 3) 0..255 -> pictures."""
    return list(part.round().to(torch.uint8).cpu().numpy())
