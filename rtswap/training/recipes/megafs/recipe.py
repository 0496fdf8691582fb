"""Train MegaFS on the faces of many people: the style prior, as FSLSD's, then the transfer of styles."""

from __future__ import annotations

import argparse
from typing import ClassVar

import torch
from torch import Tensor

from rtswap.training.crowd import Crowd
from rtswap.training.identity import coarsely_changed
from rtswap.training.losses import edges
from rtswap.training.recipe import Terms
from rtswap.training.recipes.megafs.network import BindGraph, FrameGraph, Megafs
from rtswap.training.recipes.style_prior import losses
from rtswap.training.recipes.style_prior.recipe import AROUND, StyleRecipe, check_split, dims_of
from rtswap.training.recipes.style_prior.samples import Batch, relight
from rtswap.training.system_file import Graph


class MegafsRecipe(StyleRecipe):
    """``args`` as ``spec.OPTIONS`` describes them, and ``template``."""

    name: ClassVar[str] = "megafs"
    network: Megafs
    shadow: Megafs

    def __init__(self, args: argparse.Namespace, crowd: Crowd) -> None:
        dims = dims_of(args.prior_layout, args.resolution, self.name, hierfe=args.encoder == "hierfe")
        super().__init__(Megafs(dims, check_split(args.kept, dims, "--kept")), dims, args, crowd)

    @property
    def structure(self) -> int:
        """Half of the rows, as in FSLSD's small prior: with the same one both systems can be compared."""
        return self.dims.rows // 2

    def swap_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """Of the transfer; and its swaps."""
        count = len(batch.faces) // 2
        own, across = slice(count), slice(count, None)
        photos, embeddings = (
            torch.cat([one[:count], one.roll(-1, 0)[count:]]) for one in (relight(batch.photos), batch.embeddings)
        )
        made, faces = self.made(self.network, batch.faces, photos), batch.faces
        weight = AROUND + (1 - AROUND) * batch.masks
        with self.autocast():
            wanted = self.network.prior.reader(faces).float()
            likeness = self.perception(made[own], faces[own])
            shown = coarsely_changed(made[across], faces[across])
            unlike = self.unlike(shown, batch.matrices[across], embeddings[across])
            read = self.network.prior.reader(made).float()
        return {
            "same": losses.difference(made[own], faces[own], weight[own]),
            "same_edges": edges(made[own], faces[own], weight[own]),
            "likeness": likeness,
            "around": losses.difference(made[across], faces[across], 1 - batch.masks[across]),
            "identity": self.args.pull * unlike,
            "landmarks": losses.apart(read, wanted),
            "style": losses.style(made[across], faces[across], batch.masks[across]),
        }, made

    def taught_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """As ``swap_terms``, compared with the truth."""
        assert batch.truth is not None
        made, truth = self.made(self.network, batch.faces, relight(batch.photos)), batch.truth
        weight = AROUND + (1 - AROUND) * batch.masks
        with self.autocast():
            likeness = self.perception(made, truth)
            unlike = self.unlike(made, batch.matrices, batch.embeddings, truth)
            read = self.network.prior.reader(torch.cat([made, truth])).float()
        return {
            "same": losses.difference(made, truth, weight),
            "same_edges": edges(made, truth, weight),
            "likeness": likeness,
            "identity": self.args.pull * unlike,
            "landmarks": losses.apart(*read.chunk(2)),
        }, made

    def made(self, network: Megafs, faces: Tensor, photos: Tensor) -> Tensor:
        """Swaps (N, 3, R, R) in float32. The encoder, which is fixed, runs once for photos and faces."""
        with self.autocast():
            with torch.no_grad():
                source, target = network.prior.encode(torch.cat([photos, faces])).float().chunk(2)
            rows = network.mixed(network.given(source), target)
            found: Tensor = network.prior.generator(rows)[1].float()
        return found

    def swapped(self, batch: Batch) -> list[Tensor]:
        """The swap."""
        return [self.made(self.shadow, batch.faces, batch.photos.roll(-1, 0))]

    def graphs(self) -> dict[str, Graph]:
        """``bind`` and ``frame`` of the averaged network."""
        shadow = self.shadow.float().cpu().eval()
        photo, face = (torch.from_numpy(self.kept.pictures[k : k + 1].copy()) for k in (0, 1))
        bind = BindGraph(shadow)
        with torch.no_grad():
            source = bind(photo)
        return {
            "frame": Graph(FrameGraph(shadow), {"face": face, "source": source}, ("swapped",)),
            "bind": Graph(bind, {"photo": photo}, ("source",)),
        }
