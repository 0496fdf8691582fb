"""Losses that DF and LIAE have on request: true face, style, and a critic of patches."""

from __future__ import annotations

import argparse
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtswap.training.losses import colour_statistics, dssim, smooth
from rtswap.training.pairs import Faces
from rtswap.training.recipe import Terms
from rtswap.training.recipes.deepfacelab.critics import CodeCritic, PatchCritic, entropy_of_calling

PATCHES = 8
"""Side of a picture in patches of its critic (DeepFaceLab's habit: R / 8 px)."""
STYLE_BLUR = 16
"""Pictures are compared in style blurred by a sigma of R / 16."""


class Critics(nn.Module):
    """The critics that were asked for, and the losses beside reconstruction."""

    def __init__(self, args: argparse.Namespace, network: nn.Module) -> None:
        super().__init__()
        self._true_face = float(getattr(args, "true_face_power", 0.0))
        self._face_style, self._background_style = float(args.face_style_power), float(args.bg_style_power)
        self._gan = float(args.gan_power)
        self._side: int = network.dims.resolution
        if self._true_face:
            inter = network.inter
            side = network.dims.lowest * (1 if "t" in network.dims.options else 2)
            self.code = CodeCritic(inter.outputs, side)
        if self._gan:
            self.patch = PatchCritic(max(4, self._side // PATCHES))
        self.watching = False
        """Whether the patch critic is shown pictures now."""
        self._shown: dict[str, Tensor] = {}

    @property
    def any(self) -> bool:
        """Whether there is a critic."""
        return bool(self._true_face or self._gan)

    def terms(self, network: nn.Module, source: Faces, target: Faces, made: list[Tensor]) -> Terms:
        """Losses of the network. ``made``: the source's reconstruction, then the target's."""
        terms: Terms = {}
        self._shown = {}
        if self._true_face:
            codes = network.code(torch.cat([source.given, target.given]))
            first, second = codes.split([len(source.given), len(target.given)])
            self._shown |= {"source_code": first.detach(), "target_code": second.detach()}
            terms["true_face"] = self._true_face * entropy_of_calling(self.code(second), True)
        if self._face_style or self._background_style:
            swapped, _, _ = network.swap(target.given)
            terms |= self._style(swapped.float(), target.truth, target.mask)
        if self._gan and self.watching:
            self._shown |= {"real": source.truth * source.mask, "made": (made[0] * source.mask).detach()}
            terms["fooled"] = self._gan * entropy_of_calling(self.patch(made[0] * source.mask), True)
        return terms

    def _style(self, swapped: Tensor, target: Tensor, where: Tensor) -> Terms:
        """Differences from the target: of colours within the target's mask, and of the picture around it."""
        terms: Terms = {}
        if self._face_style:
            sigma = self._side / STYLE_BLUR
            size = 2 * math.ceil(2 * sigma) + 1
            soft = [smooth(picture * where, size, sigma, padded=True) for picture in (swapped, target)]
            ours, theirs = (colour_statistics(picture, where) for picture in soft)
            terms["face_style"] = self._face_style * functional.mse_loss(ours, theirs)
        if self._background_style:
            outside = 1 - where
            window = round(self._side / 11.6)
            off = dssim(swapped * outside, target * outside, window) + functional.mse_loss(
                swapped * outside, target * outside
            )
            terms["background_style"] = self._background_style * off
        return terms

    def losses(self) -> Terms:
        """Losses of the critics on what ``terms`` saw last."""
        terms: Terms = {}
        if "source_code" in self._shown:
            real, made = self.code(self._shown["source_code"]), self.code(self._shown["target_code"])
            terms["code_critic"] = (entropy_of_calling(real, True) + entropy_of_calling(made, False)) / 2
        if "real" in self._shown:
            real, made = self.patch(self._shown["real"]), self.patch(self._shown["made"])
            terms["patch_critic"] = (entropy_of_calling(real, True) + entropy_of_calling(made, False)) / 2
        return terms
