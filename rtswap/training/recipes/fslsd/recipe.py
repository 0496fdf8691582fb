"""Train FSLSD on the faces of many people: the style prior, then the swap.

Half of each batch are people and their own photos, which must give the face; the other half gets somebody else's
photo, with the identity asked for by the recogniser and the pose by the prior's reader of landmarks.
"""

from __future__ import annotations

import argparse
from typing import ClassVar

import torch
from torch import Tensor

from rtswap.training.crowd import Crowd
from rtswap.training.identity import coarsely_changed
from rtswap.training.losses import edges
from rtswap.training.recipe import Terms
from rtswap.training.recipes.fslsd.network import BindGraph, FrameGraph, Fslsd, Made
from rtswap.training.recipes.style_prior import losses
from rtswap.training.recipes.style_prior.points import outline
from rtswap.training.recipes.style_prior.recipe import AROUND, StyleRecipe, check_split, dims_of
from rtswap.training.recipes.style_prior.samples import Batch, move, relight
from rtswap.training.system_file import Graph

UNTOUCHED = 8
"""One in so many samples has an empty mask: out must come the target."""


class FslsdRecipe(StyleRecipe):
    """``args`` as ``spec.OPTIONS`` describes them, and ``template``."""

    name: ClassVar[str] = "fslsd"
    network: Fslsd
    shadow: Fslsd

    def __init__(self, args: argparse.Namespace, crowd: Crowd) -> None:
        dims = dims_of(args.prior_layout, args.resolution, self.name)
        structure = check_split(args.structure, dims, "--structure")
        super().__init__(Fslsd(dims, structure, full=args.prior_layout == "full"), dims, args, crowd)

    @property
    def structure(self) -> int:
        """As the option says."""
        return self.network.structure

    def swap_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """Of the direction, the target's encoder and the decoder; and their swaps."""
        count = len(batch.faces) // 2
        own = slice(count)
        photos, photo_points, embeddings = (
            torch.cat([one[:count], one.roll(-1, 0)[count:]])
            for one in (relight(batch.photos), batch.photo_points, batch.embeddings)
        )
        mask = outline(batch.points, self.dims.resolution)
        mask[: max(1, len(mask) // UNTOUCHED)] = 0
        made = self.made(self.network, batch.faces, batch.points, photos, photo_points, mask)
        faces, weight = batch.faces, AROUND + (1 - AROUND) * batch.masks
        wanted = self.network.prior.reader(faces).float()
        across = slice(count, None)
        swaps = torch.cat([made.face[across], made.side[across]])
        twice = [torch.cat([one[across], one[across]]) for one in (faces, batch.matrices, embeddings)]
        with self.autocast():
            likeness = self.perception(made.face[own], faces[own])
            unlike = self.unlike(coarsely_changed(swaps, twice[0]), *twice[1:])
            read = self.network.prior.reader(torch.cat([made.face, made.side])).float()
        terms: Terms = {
            "same": losses.difference(made.face[own], faces[own], weight[own]),
            "same_edges": edges(made.face[own], faces[own], weight[own]),
            "likeness": likeness,
            "side": losses.difference(made.side[own], faces[own], weight[own]),
            "around": losses.difference(made.face[across], faces[across], 1 - mask[across]),
            "identity": self.args.pull * unlike,
            "landmarks": losses.apart(read, torch.cat([wanted, wanted])),
            "style": losses.style(made.face[across], faces[across], mask[across]),
        }
        if self.args.steady:
            terms |= self._steadiness(batch, photos, photo_points, made, mask)
        return terms, made.face

    def taught_terms(self, batch: Batch) -> tuple[Terms, Tensor]:
        """As ``swap_terms``: side output and swap are compared with the truth; with an empty mask with the face."""
        assert batch.truth is not None
        photos, faces, truth = relight(batch.photos), batch.faces, batch.truth
        mask = outline(batch.points, self.dims.resolution)
        still = max(1, len(mask) // UNTOUCHED)
        mask[:still] = 0
        wanted = torch.cat([faces[:still], truth[still:]])
        made = self.made(self.network, faces, batch.points, photos, batch.photo_points, mask)
        weight = AROUND + (1 - AROUND) * batch.masks
        with self.autocast():
            likeness = self.perception(made.face, wanted)
            swapped = torch.cat([made.face[still:], made.side[still:]])
            unlike = self.unlike(
                swapped, *(torch.cat([one[still:]] * 2) for one in (batch.matrices, batch.embeddings, truth))
            )
            read = self.network.prior.reader(torch.cat([made.face, made.side])).float()
            goal = self.network.prior.reader(truth).float()
        terms: Terms = {
            "same": losses.difference(made.face, wanted, weight),
            "same_edges": edges(made.face, wanted, weight),
            "likeness": likeness,
            "side": losses.difference(made.side, truth, weight),
            "identity": self.args.pull * unlike,
            "landmarks": losses.apart(read, torch.cat([goal, goal])),
        }
        if self.args.steady:
            terms |= self._steadiness(batch, photos, batch.photo_points, made, mask)
        return terms, made.face

    def made(
        self, network: Fslsd, faces: Tensor, points: Tensor, photos: Tensor, photo_points: Tensor, mask: Tensor
    ) -> Made:
        """Swaps (N, 3, R, R) in float32. The encoder, which is fixed, runs once for photos and faces."""
        with self.autocast():
            with torch.no_grad():
                source, target = network.prior.encode(torch.cat([photos, faces])).float().chunk(2)
            direction = network.direction(network.shape_of(photo_points), network.shape_of(points)).float()
            rows = network.mixed(source[:, : network.structure] + direction, target)
            found = network.make(faces, rows, mask)
        return Made(found.face.float(), found.side.float(), rows)

    def _steadiness(self, batch: Batch, photos: Tensor, photo_points: Tensor, made: Made, mask: Tensor) -> Terms:
        """Of clips of two frames: each face, and the same a little turned, enlarged and shifted."""
        faces, points, flow = move(batch.faces, batch.points)
        with self.autocast(), torch.no_grad():
            rows = [self.network.prior.encode(one).float() for one in (batch.faces, faces)]
        after = self.made(self.network, faces, points, photos, photo_points, outline(points, self.dims.resolution))
        k = self.structure
        swap, target = (torch.stack([one[:, :k] for one in pair], 1) for pair in ((made.rows, after.rows), rows))
        clips = torch.stack([made.face, after.face], 1)
        return {
            "trajectory": losses.trajectory(swap, target),
            "unsteady": losses.unsteady(clips, flow[:, None], mask[:, None]),
        }

    def swapped(self, batch: Batch) -> list[Tensor]:
        """The side output, and the swap."""
        photos, points = batch.photos.roll(-1, 0), batch.photo_points.roll(-1, 0)
        mask = outline(batch.points, self.dims.resolution)
        made = self.made(self.shadow, batch.faces, batch.points, photos, points, mask)
        return [made.side, made.face]

    def graphs(self) -> dict[str, Graph]:
        """``bind`` and ``frame`` of the averaged network."""
        shadow = self.shadow.float().cpu().eval()
        photo, points = (torch.from_numpy(one[:1].copy()) for one in (self.kept.pictures, self.kept.points))
        face, at = (torch.from_numpy(one[1:2].copy()) for one in (self.kept.pictures, self.kept.points))
        bind = BindGraph(shadow)
        with torch.no_grad():
            structure, shape = bind(photo, points)
        examples = {"face": face, "points": at, "structure": structure, "shape": shape}
        return {
            "frame": Graph(FrameGraph(shadow), examples, ("swapped",)),
            "bind": Graph(bind, {"photo": photo, "photo_points": points}, ("structure", "shape")),
        }
