"""Write a trained swapper as a DFM file: ONNX, with the names, the order and the layout that DeepFaceLive reads.

``in_face:0`` (N, S, S, 3) BGR 0..1 -> ``out_face_mask:0`` (N, S, S, 1), ``out_celeb_face:0`` (N, S, S, 3),
``out_celeb_face_mask:0`` (N, S, S, 1): the target's mask, the swapped face and its mask (iperov/DeepFaceLive at
a50ef87, ``modelhub/DFLive/DFMModel.py``). The file's metadata tells rtswap how faces are placed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from rtswap.core.errors import ModelError
from rtswap.core.version import __version__
from rtswap.networks.model_file import TEMPLATE_KEY
from rtswap.training.onnx_files import answer, farthest, run, trace, write

INPUT = "in_face:0"
OUTPUTS = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
CLOSE = 1e-3
"""Largest difference between the file and torch, of values 0..1."""


class Deployed(nn.Module):
    """A network with ``swap`` in a DFM's layout."""

    def __init__(self, network: nn.Module, *, back: bool = False) -> None:
        super().__init__()
        self.network, self._back = network, back

    def forward(self, in_face: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, S, S, 3) -> the target's mask, the face, its mask."""
        face, mask, target_mask = self.network.swap(in_face.permute(0, 3, 1, 2), back=self._back)
        target, face, mask = (part.permute(0, 2, 3, 1) for part in (target_mask, face, mask))
        return target, face, mask


def write_dfm(network: nn.Module, side: int, path: Path, *, template: str, recipe: str, back: bool = False) -> float:
    """Write ``network`` for faces of ``side`` px placed by ``template``; return its largest difference from torch.
    ``back``: it puts the target's face on the source.

    Raises ModelError for a difference above ``CLOSE`` or a value that is not finite; then nothing is written.
    """
    deployed = Deployed(network, back=back).float().cpu().eval().to(memory_format=torch.contiguous_format)
    blank = torch.zeros(1, side, side, 3)
    with torch.no_grad():
        model = trace(deployed, (blank,), [INPUT], OUTPUTS)
    onnx.helper.set_model_props(model, {TEMPLATE_KEY: template, "rtswap.recipe": recipe})
    model.producer_name, model.producer_version = "rtswap", __version__
    off = difference(model, deployed, side)
    if not off <= CLOSE:
        raise ModelError(
            f"the exported network is off by {off:.4f}", do="Nothing was written: train on, or train anew."
        )
    write(model, path)
    return off


def difference(model: onnx.ModelProto, deployed: nn.Module, side: int) -> float:
    """Between what ONNX Runtime and torch answer to noise."""
    given = {INPUT: np.random.default_rng(0).random((2, side, side, 3), np.float32)}
    return farthest(run(model, **given), answer(deployed, given))
