"""Run every contender on every pair of photos; store the figures and thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from rtswap.commands.evaluate.candidates import Candidate, Result
from rtswap.commands.evaluate.expression import expression_error
from rtswap.commands.evaluate.faces import Face
from rtswap.commands.evaluate.features import FeatureSet, face_crop
from rtswap.commands.evaluate.identity import IdentityJudge, Vector, cosine, retrieval
from rtswap.commands.evaluate.kid import Distance, Features, kid_of_pairs, standardise
from rtswap.commands.evaluate.landmark_judge import LandmarkJudge
from rtswap.commands.evaluate.naturalness import Spread, Tone, blotches, skin_tone, spread, step
from rtswap.commands.evaluate.pixels import edge_ratio, psnr, sharpness_ratio, ssim
from rtswap.commands.evaluate.pose import pose_error
from rtswap.core.errors import RtswapError
from rtswap.core.types import Image, Mask, Points

Event = Callable[[str], None]

FAILURES = (RtswapError, ValueError, ArithmeticError, cv2.error)
"""Errors of a swapper on a face it cannot swap: the pair is left out, reported and counted."""


@dataclass
class Record:
    """One contender's results, in the order of the pairs."""

    name: str
    rows: list[dict[str, float]] = field(default_factory=list)
    vectors: list[Vector | None] = field(default_factory=list)
    """Vectors of the first identity judge."""
    features: list[list[Features]] = field(default_factory=list)
    """Per pair, the features of each set."""
    thumbnails: list[Image] = field(default_factory=list)
    selves: dict[int, Image] = field(default_factory=dict)
    """Pair -> its target swapped with itself, if done."""


@dataclass(frozen=True)
class PixelCounts:
    """Cached measurements of a photo."""

    vectors: list[Vector | None]
    mesh: Points
    """From the landmark judge, px."""
    skin: Spread
    tone: Tone


class Study:
    """Collects the results of all contenders. ``thumbnail`` turns a picture and its mesh into a sheet tile."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        judge: LandmarkJudge,
        identity: Sequence[IdentityJudge],
        features: Sequence[FeatureSet],
        thumbnail: Callable[[Image, Points], Image],
        on_event: Event,
    ) -> None:
        self.candidates, self.records = list(candidates), [Record(one.name) for one in candidates]
        self.pairs: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.real: list[list[Features]] = []
        self.thumbnails: list[tuple[Image, Image]] = []
        self._judge, self._identity, self._features = judge, identity, features
        self._thumbnail, self._on_event = thumbnail, on_event
        self._looks: dict[str, PixelCounts] = {}
        self._gallery: dict[str, Vector | None] = {}
        """Source -> identity vector."""
        self._sources: list[list[Features]] = []
        self._selves: set[tuple[str, int]] = set()

    def add(self, source: Face, target: Face) -> bool:
        """Measure one pair. Return False if a contender has no result for it; report and count that."""
        results = []
        for candidate in self.candidates:
            try:
                results.append(candidate.bind(source).swap(target))
            except FAILURES as error:
                self.refused.append(f"{source.name} on {target.name}: {error}")
                self._on_event(f"left out: {self.refused[-1]}")
                return False
        self.pairs.append((source.name, target.name))
        if source.name not in self._gallery:
            self._gallery[source.name] = self.looks(source).vectors[0]
            self._sources.append(self._describe(source.image, source.mesh.points))
        self.real.append(self._describe(target.image, target.mesh.points))
        shown = source.image, source.mesh.points, target.image, target.mesh.points
        self.thumbnails.append((self._thumbnail(*shown[:2]), self._thumbnail(*shown[2:])))
        for number, result in enumerate(results):
            self._measure(number, source, target, result)
        return True

    def _measure(self, number: int, source: Face, target: Face, result: Result) -> None:
        record, seen = self.records[number], self.looks(target)
        mesh = self._judge.look(result.image, target.mesh.points)
        vectors = [one.look(result.image, mesh) for one in self._identity]
        row: dict[str, float] = {}
        names = ("", "second_")
        for name, own, wanted, real in zip(names, vectors, self.looks(source).vectors, seen.vectors, strict=False):
            to_source, to_target = cosine(own, wanted), cosine(own, real)
            row |= {f"{name}to_source": to_source, f"{name}to_target": to_target}
            row[f"{name}margin"] = to_source - to_target
        source_seen = self.looks(source)
        ratio = blotches(spread(result.image, seen.mesh), source_seen.skin, seen.skin)
        row |= {
            "chroma": ratio.chroma,
            "light": ratio.light,
            "step": step(target.image, result.image, result.mask, seen.mesh),
            "tones": source_seen.tone.distance(seen.tone),
            "source_angle": source_seen.tone.typology_angle,
            "target_angle": seen.tone.typology_angle,
            "pose": pose_error(seen.mesh, mesh, target.size),
            "expression": expression_error(seen.mesh, mesh),
            "sharpness": sharpness_ratio(target.image, result.image, result.mask),
            "edge": edge_ratio(target.image, result.image, result.mask),
            "replaced": share_replaced(result.mask, target.mesh.points),
        }
        record.rows.append(row | self._of_itself(number, target))
        record.vectors.append(vectors[0])
        record.features.append(self._describe(result.image, target.mesh.points))
        record.thumbnails.append(self._thumbnail(result.image, target.mesh.points))

    def looks(self, face: Face) -> PixelCounts:
        """Return the cached measurements of a photo."""
        key = str(face.path)
        if key not in self._looks:
            mesh = self._judge.look(face.image, face.mesh.points)
            vectors = [one.look(face.image, mesh) for one in self._identity]
            self._looks[key] = PixelCounts(vectors, mesh, spread(face.image, mesh), skin_tone(face.image, mesh))
        return self._looks[key]

    def _of_itself(self, number: int, face: Face) -> dict[str, float]:
        """Measure the photo swapped with itself, once per photo; empty if the contender has no such result."""
        key = str(face.path), number
        if key in self._selves:
            return {}
        self._selves.add(key)
        try:
            result = self.candidates[number].bind(face).swap(face)
        except FAILURES:
            return {}
        record = self.records[number]
        record.selves[len(record.rows)] = self._thumbnail(result.image, face.mesh.points)
        pictures = face.image, result.image, result.mask
        return {"self_psnr": psnr(*pictures), "self_ssim": ssim(*pictures)}

    def of_sets(self, number: int, seed: int) -> dict[str, float]:
        """Return one contender's retrieval, and KID with its spread over subsets. Repeated targets count once."""
        record = self.records[number]
        names = list(self._gallery)
        wanted = [names.index(source) for source, _ in self.pairs]
        found = {"retrieval": retrieval(record.vectors, wanted, list(self._gallery.values()))}
        for n, how in enumerate(self._features):
            real, made = (np.array([rows[at][n] for at in self._firsts()]) for rows in (self.real, record.features))
            found |= _figures_of(how, kid_of_pairs(*standardise(real, made), seed=seed) if len(real) else None)
        return found

    def of_photos(self, seed: int) -> dict[str, float]:
        """Return the KID between the real photos of targets and of sources that are not targets: the baseline from
        different people alone."""
        targets = {target for _, target in self.pairs}
        strangers = [n for n, name in enumerate(self._gallery) if name not in targets]
        count = min(len(targets), len(strangers))
        found: dict[str, float] = {}
        for n, how in enumerate(self._features):
            real = np.array([self.real[at][n] for at in self._firsts()[:count]])
            others = np.array([self._sources[at][n] for at in strangers[:count]])
            found |= _figures_of(how, kid_of_pairs(*standardise(real, others), seed=seed) if count else None)
        return found

    def _firsts(self) -> list[int]:
        """Return the pairs whose target occurs for the first time."""
        targets = [target for _, target in self.pairs]
        return [n for n, target in enumerate(targets) if targets.index(target) == n]

    def _describe(self, image: Image, mesh: Points) -> list[Features]:
        crop = face_crop(image, mesh)
        return [how.of(crop) for how in self._features]


def _figures_of(how: FeatureSet, distance: Distance | None) -> dict[str, float]:
    key = f"kid_{how.name.replace(' ', '_')}"
    if distance is None:
        return {}
    return {key: distance.mean, f"{key}_spread": distance.spread, f"{key}_subset": distance.size}


def share_replaced(mask: Mask, mesh: Points) -> float:
    """Return the share of landmarks at which ``mask`` is at least 128. Below a quarter the loop covers the face."""
    x, y = np.clip(np.round(mesh[:, :2]).astype(int), 0, np.array(mask.shape[::-1]) - 1).T
    return float((mask[y, x] >= 128).mean())
