"""The cache of rendered views: a few of every person, made once, kept as memory-mapped files."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from rtswap.training.pictures import read_picture
from rtswap.vision.topology import LIPS_INNER
from training.arrays import Bytes, Flags, Floats, Rows
from training.landmarks.rendering import View, eye_distance, random_expression, render, rotation
from training.landmarks.teacher import Labels

SIDE = 256
Turned = Callable[[Bytes, Floats, np.random.Generator], View]
"""Renders another view of a picture with its mesh."""


@dataclass(frozen=True)
class Views:
    images: Bytes
    """(V, 256, 256, 3) BGR, memory-mapped."""
    meshes: Floats
    """(V, 468, 3)"""
    visible: Flags
    """(V, 468)"""
    people: int
    """The first ``people`` views are the pictures as they are."""

    def __len__(self) -> int:
        return len(self.meshes)

    def writable(self) -> Views:
        """A copy that may be changed; what is memory-mapped is copied page by page."""
        images = self.images
        if isinstance(images, np.memmap):
            images = np.memmap(str(images.filename), np.uint8, "c", shape=images.shape)
        return Views(images, self.meshes.copy(), self.visible.copy(), self.people)

    def scrap(self, size: int, rng: np.random.Generator, least: int = 40, most: int = 180) -> Bytes:
        """(size, size, 3) a random part of a random picture, ``least`` to ``most`` px wide, stretched."""
        image = self.images[int(rng.integers(len(self)))]
        side = int(rng.integers(least, most))
        x, y = rng.integers(0, SIDE - side, 2)
        return np.asarray(cv2.resize(image[y : y + side, x : x + side], (size, size)), np.uint8)

    def cheek(self, row: int) -> Floats:
        """(3,) BGR, the colour of a cheek in one view."""
        return colour_at(self.images[row], self.meshes[row][205, :2])


def colour_at(image: Bytes, place: Floats) -> Floats:
    """(3,) BGR, the mean of 5 x 5 px around ``place`` (x, y)."""
    x, y = np.clip(place, 2, len(image) - 3).astype(int)
    return np.asarray(image[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1)), np.float32)


def dark_mouth(image: Bytes, mesh: Floats, rng: np.random.Generator) -> None:
    """Paint the inside of a mouth that the picture shows closed: dark, at times with a row of teeth."""
    ring = mesh[LIPS_INNER, :2]
    shade = rng.uniform(10, 60) * np.array([0.6, 0.55, 1.0])
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(ring * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    layer = np.empty_like(image)
    layer[:] = shade
    if rng.random() < 0.6:
        upper, lower = mesh[LIPS_INNER[11:], :2], mesh[LIPS_INNER[1:10][::-1], :2]
        band = np.concatenate([upper, (upper + rng.uniform(0.2, 0.5) * (lower - upper))[::-1]])
        white = tuple(rng.uniform(140, 220) * np.array([0.9, 0.95, 1]))
        cv2.fillPoly(layer, [np.round(band * 16).astype(np.int32)], white, cv2.LINE_AA, 4)
    share = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None].astype(np.float32) / 255
    image[:] = (image * (1 - share) + layer * share).astype(np.uint8)


def one_view(image: Bytes, mesh: Floats, yaw: float, pitch: float, rng: np.random.Generator | None = None) -> View:
    """The face turned by ``yaw`` and ``pitch`` degrees; with another expression where ``rng`` is given."""
    changed, opened = (mesh, 0.0) if rng is None else random_expression(mesh, rng)
    gap = float(np.linalg.norm(mesh[13] - mesh[14])) / eye_distance(mesh)
    view = render(image, mesh, changed, rotation(yaw, pitch))
    if rng is not None and opened > 0.02 and gap < 0.06:
        dark_mouth(view.image, view.mesh, rng)
    return view


def random_view(image: Bytes, mesh: Floats, rng: np.random.Generator) -> View:
    yaw = rng.uniform(-62, 62) if rng.random() < 0.55 else rng.normal(0, 18)
    pitch = np.clip(rng.normal(0, 14), -35, 35)
    return one_view(image, mesh, float(yaw) + yaw_of(mesh), float(pitch), rng)


def yaw_of(mesh: Floats) -> float:
    """Degrees by which the face is turned already: of the line from ear to ear."""
    x, _, z = mesh[454] - mesh[234]
    return float(np.degrees(np.arctan2(z, x)))


def build(
    faces: Path, labels: Labels, people: Rows, per_person: int, folder: Path, turned: Turned = random_view
) -> Views:
    """``per_person`` views of each of the ``people`` (rows of ``labels``), the first one the picture as it is, the
    others made by ``turned``.

    Made once by up to eight processes; a finished cache in ``folder`` is opened instead. Depth counts from each
    mesh's mean. Raises SystemExit for a cache of other people.
    """
    count = len(people) * per_person
    done, pictures = folder / "labels.npz", folder / "images.u8"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.memmap(pictures, np.uint8, "w+", shape=(count, SIDE, SIDE, 3)).flush()
        job = partial(_views_of, faces, labels, people, per_person, pictures, turned)
        with multiprocessing.get_context("fork").Pool(min(8, os.cpu_count() or 1)) as pool:
            parts = []
            for row, part in enumerate(pool.imap(job, range(len(people)), chunksize=8)):
                parts.append(part)
                if row % 200 == 0:
                    print(f"views: {row}/{len(people)} people", flush=True)
        meshes, visible = (np.stack([part[k] for part in parts], axis=1) for k in (0, 1))
        np.savez(done, meshes=meshes.reshape(count, 468, 3), visible=visible.reshape(count, 468))
    return open_cache(folder, len(people))


def open_cache(folder: Path, people: int | None = None) -> Views:
    """A finished cache, of ``people`` or of a sixth as many as it has views."""
    with np.load(folder / "labels.npz") as data:
        meshes, visible = data["meshes"], data["visible"]
    people = people or len(meshes) // 6
    if len(meshes) % people:
        raise SystemExit(
            f"{folder} has {len(meshes)} views, not a few of each of {people} people: give another folder"
        )
    images = np.memmap(folder / "images.u8", np.uint8, "r", shape=(len(meshes), SIDE, SIDE, 3))
    return Views(images, meshes, visible, people)


def _views_of(
    faces: Path, labels: Labels, people: Rows, per_person: int, pictures: Path, turned: Turned, row: int
) -> tuple[Floats, Flags]:
    """Render every view of one person into the cache; (V, 468, 3) meshes and (V, 468) visibility."""
    cv2.setNumThreads(1)
    images = np.memmap(pictures, np.uint8, "r+", shape=(len(people) * per_person, SIDE, SIDE, 3))
    person = people[row]
    image = read_picture(faces / str(labels.names[person]))
    mesh = labels.meshes[person]
    rng = np.random.default_rng((int(person), 7))
    views = [View(image, mesh, np.ones(468, bool))]
    views += [turned(image, mesh, rng) for _ in range(per_person - 1)]
    for number, view in enumerate(views):
        images[number * len(people) + row] = view.image
    meshes = np.stack([view.mesh for view in views])
    meshes[:, :, 2] -= meshes[:, :, 2].mean(axis=1, keepdims=True)
    return meshes, np.stack([view.visible for view in views])
