"""Compare trained swappers with ``mesh`` on the same clips: identity, expression, sharpness, a sheet.

    python benchmarks/recipes.py --clips FOLDER --source PHOTO --target PHOTO --swapper me.dfm [--swapper mesh]
        [--teacher FILE] [--out FILE]

``--source`` and ``--target``: a photo of each of the two people. Identity is the cosine of dlib's network, which no
recipe has seen in training, between swapped frames and either photo: a swap is one where the source's is higher.
Expression as in expression.py: correlation and gain of mouth, lids and brows between input and output, by the judge.
``sharpness``: mean gradient of the face of the output over that of the input. The sheet shows, for eight moments, the
input and every swapper.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from expression import IDENTITY_EVERY, WIDTHS, pooled
from telling import tell

from rtswap.app.config import Config
from rtswap.app.marking import make_disclosure
from rtswap.app.networks import FaceModels, open_models
from rtswap.app.sections import SourceConfig
from rtswap.app.swapper_file import with_installed_swapper
from rtswap.commands.bench.machine import machine
from rtswap.commands.evaluate.clips import Clip, mesh_in, read_clip, swap_clip, swapped_face
from rtswap.commands.evaluate.expression import series
from rtswap.commands.evaluate.identity import IdentityJudge, cosine, identity_judges
from rtswap.commands.evaluate.landmark_judge import LandmarkJudge, open_judge
from rtswap.commands.reports.sheet import Section, Tile, draw_sheet, mark_sheet, save_sheet
from rtswap.core.types import Image, Points
from rtswap.swappers import swapper_spec
from rtswap.vision.images import read_image
from rtswap.vision.topology import OVAL

SHOWN, SIDE = 8, 256
"""Moments on the sheet, and the side of its pictures in px."""


def configuration(swapper: str, source: Path) -> Config:
    """Of one swapper; those whose face lies in the network are given no photo."""
    config = Config(source=SourceConfig(i_have_consent=True))
    config = with_installed_swapper(replace(config, swap=replace(config.swap, swapper=swapper)), print)
    if swapper_spec(config.swap.swapper).needs_source:
        config = replace(config, source=replace(config.source, photos=(str(source),)))
    return config


def around(image: Image, mesh: Points) -> Image:
    """The head, ``SIDE`` px wide."""
    low, high = mesh[OVAL, :2].min(0), mesh[OVAL, :2].max(0)
    middle, half = (low + high) / 2, 0.85 * float((high - low).max())
    matrix = np.array([[1, 0, 0], [0, 1, 0]], np.float32) * (SIDE / (2 * half))
    matrix[:, 2] = SIDE / 2 - matrix[:, :2] @ middle
    return np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA), np.uint8)


def sharpness(image: Image, mesh: Points) -> float:
    """Mean gradient within the face's outline, grey levels per px."""
    inside = np.zeros(image.shape[:2], np.uint8)
    ring = mesh[OVAL, :2]
    cv2.fillPoly(inside, [np.round(ring.mean(0) + 0.8 * (ring - ring.mean(0))).astype(np.int32)], 1)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    steps = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8)
    return float(steps[inside > 0].mean())


class Comparison:
    """Swaps clips with one swapper after another and measures them."""

    def __init__(self, models: FaceModels, judge: LandmarkJudge, identity: IdentityJudge, people: dict[str, Path]):
        self.models, self.judge, self.identity = models, judge, identity
        self.people = {name: read_image(path) for name, path in people.items()}
        self.vectors = {name: identity.look(photo, mesh_in(photo, models)) for name, photo in self.people.items()}

    def measure(self, clips: list[Clip], config: Config) -> tuple[dict[str, Any], list[list[Tile]]]:
        """Figures of one swapper over all clips, and tiles of each clip."""
        cosines: dict[str, list[float]] = {name: [] for name in self.vectors}
        pairs, tiles, ratios, frames, swapped = [], [], [], 0, 0
        for clip in clips:
            swap = swap_clip(clip, config, self.models, live=False)
            keep = swap.sound
            frames, swapped = frames + len(keep), swapped + int(keep.sum())
            guides = self.judge.guides(clip.images, swapped_face(clip, swap, self.models))
            ins = self.judge.through_several(clip.images, guides, WIDTHS)
            outs = self.judge.through_several(swap.images, guides, WIDTHS)
            pairs.append((series(ins[keep]), series(outs[keep])))
            for n in range(0, len(swap.images), IDENTITY_EVERY):
                if keep[n]:
                    found = self.identity.look(swap.images[n], outs[n])
                    for name, vector in self.vectors.items():
                        cosines[name].append(cosine(found, vector))
                    ratios.append(sharpness(swap.images[n], ins[n]) / sharpness(clip.images[n], ins[n]))
            moments = np.linspace(0, len(clip.images) - 1, SHOWN).round().astype(int)
            tiles.append([Tile(around(swap.images[n], ins[n]), clip.name, f"frame {n}") for n in moments])
        figures = {
            "frames": frames,
            "frames_swapped": swapped,
            "identity": {name: round(float(np.nanmean(values)), 3) for name, values in cosines.items()},
            "expression": pooled(pairs),
            "sharpness": round(float(np.mean(ratios)), 3),
        }
        return figures, tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--swapper", action="append", required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    configs = {Path(word).stem: configuration(word, given.source) for word in given.swapper}
    models = open_models(Config(), on_event=print)
    people = {"source": given.source, "target": given.target}
    identity = identity_judges(models, models.embedder())[0]
    compare = Comparison(models, open_judge(given.teacher, models), identity, people)
    clips = [read_clip(path) for path in sorted(given.clips.iterdir()) if path.suffix != ".c2pa"]
    rows: dict[str, Any] = {}
    sections: list[Section] = []
    for name, config in configs.items():
        rows[name], tiles = compare.measure(clips, config)
        for clip, row in zip(clips, tiles, strict=True):
            sections.append(Section(f"{name}: {clip.name}", row))
    heads = {name: around(photo, mesh_in(photo, models)) for name, photo in compare.people.items()}
    sections.insert(0, Section("the two people", [Tile(head, name) for name, head in heads.items()]))
    sheet = draw_sheet("Trained swappers beside mesh", [f"identity by {identity.name}"], sections, columns=SHOWN)
    save_sheet(given.out.with_suffix(".png"), mark_sheet(sheet, make_disclosure(Config(), print)), overwrite=True)
    tell({"judge": compare.judge.name, "identity": identity.name, "swappers": rows, "machine": machine()}, given.out)


if __name__ == "__main__":
    main()
