"""The trials on people kept out of training: pictures and the points that the network should find in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.networks.landmarks import place
from training.landmarks.faces import Labels, eye_distance, read_picture, triangles
from training.landmarks.render import View
from training.landmarks.samples import Batch, Sampler, moved
from training.landmarks.views import build, one_view, yaw_of


def held_out(
    faces: Path, labels: Labels, people: NDArray[np.int64], mirror: NDArray[np.int64], cache: Path, size: int
) -> dict[str, Batch]:
    """``plain``, ``jittered``, ``yaw45``, ``occluded`` (one ellipse over a fifth of the face) and ``absent``."""
    rng = np.random.default_rng(20)
    images = [read_picture(faces / str(labels.names[p])) for p in people]
    meshes = labels.meshes[people].copy()
    meshes[:, :, 2] -= meshes[:, :, 2].mean(axis=1, keepdims=True)
    looks = [View(i, m, np.ones(468, bool)) for i, m in zip(images, meshes, strict=True)]
    turned = [_turned(look, angle) for look in looks for angle in (-45.0, 45.0)]
    trials = {
        "plain": _batch(looks, size, rng, 0.0),
        "jittered": _batch([look for look in looks for _ in range(3)], size, rng, 1.0),
        "yaw45": _batch(turned, size, rng, 0.5),
        "occluded": _batch(looks, size, rng, 0.5),
    }
    for crop, points, visible in zip(*_fields(trials["occluded"]), strict=True):
        _cover_fifth(crop, points, visible, images[int(rng.integers(len(images)))], rng)
    views = build(faces, labels, people, 3, cache)
    trials["mixed"] = next(Sampler(views, mirror, size, 5).batches(512))
    absent = ~(trials["mixed"].present > 0)
    more = [next(Sampler(views, mirror, size, seed).batches(512)) for seed in (6, 7, 8)]
    crops = np.concatenate([trials["mixed"].crops[absent], *[b.crops[~(b.present > 0)] for b in more]])
    nothing = np.zeros((len(crops), 468), np.float32)
    trials["absent"] = Batch(crops, np.zeros((len(crops), 468, 3), np.float32), nothing, nothing[:, 0])
    return trials


def expressive(faces: Path, labels: Labels, people: NDArray[np.int64], size: int, each: int = 3) -> Batch:
    """``each`` pictures of every person with another expression and a small turn: are openings read as they are?"""
    rng, looks = np.random.default_rng(23), []
    for person in people:
        image, mesh = read_picture(faces / str(labels.names[person])), labels.meshes[person].copy()
        mesh[:, 2] -= mesh[:, 2].mean()
        for _ in range(each):
            yaw, pitch = float(rng.normal(0, 8)) + yaw_of(mesh), float(rng.normal(0, 6))
            looks.append(one_view(image, mesh, triangles(), yaw, pitch, rng))
    return _batch(looks, size, rng, 0.3)


def errors(found: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 468) distances in the picture plane, in percent of the inter-ocular distance."""
    apart = np.linalg.norm(found[..., :2] - points[..., :2], axis=-1)
    return np.asarray(100 * apart / eye_distance(points)[:, None], np.float32)


def _fields(batch: Batch) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    return batch.crops, batch.points, batch.visible


def _turned(look: View, yaw: float) -> View:
    view = one_view(look.image, look.mesh, triangles(), yaw + yaw_of(look.mesh), 0.0)
    view.mesh[:, 2] -= view.mesh[:, 2].mean()
    return view


def _batch(looks: list[View], size: int, rng: np.random.Generator, strength: float) -> Batch:
    """Crops placed off by up to 12 % of their side, a scale of 0.8..1.25 and 25 degrees, times ``strength``."""
    crops = np.empty((len(looks), size, size, 3), np.uint8)
    points, visible = np.empty((len(looks), 468, 3), np.float32), np.empty((len(looks), 468), np.float32)
    for i, look in enumerate(looks):
        matrix = place(look.mesh, size)
        assert matrix is not None
        shift, zoom = rng.uniform(-0.12, 0.12, 2) * strength, float(np.exp(rng.uniform(-0.22, 0.22) * strength))
        matrix = moved(matrix, size, shift, zoom, float(rng.uniform(-25, 25) * strength))
        cv2.warpAffine(look.image, matrix, (size, size), dst=crops[i], borderMode=cv2.BORDER_REPLICATE)
        points[i, :, :2] = look.mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[i, :, 2] = look.mesh[:, 2] * np.hypot(matrix[0, 0], matrix[1, 0])
        visible[i] = look.visible
    return Batch(crops, points, visible, np.ones(len(looks), np.float32))


def _cover_fifth(
    crop: NDArray[np.uint8], points: NDArray[np.float32], visible: NDArray[np.float32], scrap: NDArray[np.uint8],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """An ellipse with another picture's texture over 20 % of the face's area, about a random point of it."""
    hull = cv2.convexHull(np.ascontiguousarray(points[:, :2]))
    area = 0.2 * cv2.contourArea(hull)
    shape = np.exp(rng.uniform(-0.5, 0.5))
    axes = np.sqrt(area / np.pi) * np.array([shape, 1 / shape])
    middle = points[:, :2].mean(axis=0) + rng.uniform(-0.3, 0.3, 2) * np.ptp(points[:, :2], axis=0)
    mask = np.zeros(crop.shape[:2], np.uint8)
    at, reach = ((round(float(pair[0])), round(float(pair[1]))) for pair in (middle, axes))
    cv2.ellipse(mask, at, reach, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    texture = cv2.resize(scrap[100:180, 80:160], crop.shape[1::-1])
    crop[mask > 0] = texture[mask > 0]
    xy = np.clip(np.round(points[:, :2]), 0, crop.shape[0] - 1).astype(int)
    visible[mask[xy[:, 1], xy[:, 0]] > 0] = 0
