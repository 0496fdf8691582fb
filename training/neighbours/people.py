"""People as they stand in a picture: where their face is, and what of the picture is theirs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.landmarks import MeshLandmarks
from rtswap.networks.registry import Registry
from rtswap.tracking.detector import MtcnnDetector
from rtswap.tracking.turns import find_meshes
from rtswap.vision.topology import CHIN, FOREHEAD, OVAL
from training.arrays import Bytes, Floats
from training.heads.portraits import Portraits
from training.landmarks.views import Views

MATTE = 96
"""Side of the picture in which a person is cut out."""
BELOW, BESIDE = 200, 120
"""By how many pixels a picture of a head alone is continued below, and on the other sides."""


@dataclass(frozen=True)
class Standing:
    """People in front of what is behind them."""

    pictures: Bytes
    """(N, S, S, 3) BGR"""
    meshes: Floats
    """(N, 468, 2)"""
    mattes: Bytes
    """(N, MATTE, MATTE) 255: the person"""
    boxes: Floats
    """(N, K, 4) xyxy of other faces; zeros: none"""

    def __len__(self) -> int:
        return len(self.pictures)

    def one(self, row: int) -> tuple[Bytes, Bytes, Floats]:
        """Picture, matte of the same size, mesh; the picture continued on all sides if it shows a head alone."""
        picture, mesh = self.pictures[row], self.meshes[row]
        matte = np.asarray(
            cv2.resize(self.mattes[row], picture.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8
        )
        if picture.shape[0] > 300:
            return picture, matte, mesh
        sides = BESIDE, BELOW, BESIDE, BESIDE
        wide = cv2.copyMakeBorder(picture, *sides, cv2.BORDER_REPLICATE)
        return (
            np.asarray(wide, np.uint8),
            np.asarray(cv2.copyMakeBorder(matte, *sides, cv2.BORDER_REPLICATE), np.uint8),
            mesh + np.float32(BESIDE),
        )


def in_rooms(portraits: Portraits) -> Standing:
    """The portraits whose face our landmarks find."""
    registry = Registry()
    detector = MtcnnDetector(
        *(OnnxRuntimeEngine(registry.path(name), threads=1) for name in ("pnet", "rnet", "onet")), max_side=512
    )
    landmarks = MeshLandmarks(OnnxRuntimeEngine(registry.path("landmarks"), threads=1))
    rows, meshes, others = [], [], []
    for row, picture in enumerate(portraits.pictures):
        found = sorted(detector.detect(picture), key=lambda face: -float(face.box[3] - face.box[1]))
        seen = find_meshes(detector, landmarks, picture, found[:1])
        if seen and seen[0].presence > 0.5:
            rows.append(row)
            meshes.append(seen[0].points[:, :2])
            others.append(portraits.boxes[row, 1:])
    pictures = portraits.pictures[rows]
    mattes = [cut_out(picture, mesh) for picture, mesh in zip(pictures, meshes, strict=True)]
    return Standing(pictures, np.stack(meshes), np.stack(mattes), np.stack(others))


def alone(views: Views) -> Standing:
    """The pictures of heads as they are."""
    count = views.people
    meshes = np.ascontiguousarray(views.meshes[:count, :, :2], np.float32)
    mattes = [cut_out(picture, mesh) for picture, mesh in zip(views.images[:count], meshes, strict=True)]
    return Standing(views.images[:count], meshes, np.stack(mattes), np.zeros((count, 1, 4), np.float32))


def cut_out(picture: Bytes, mesh: Floats) -> Bytes:
    """(MATTE, MATTE) 255 where the person is: face, hair, trunk. Rother et al. 2004, begun with the face and the
    trunk below it."""
    scale = MATTE / picture.shape[0]
    small = np.asarray(cv2.resize(picture, (MATTE, MATTE), interpolation=cv2.INTER_AREA), np.uint8)
    oval = mesh[OVAL, :2] * scale
    middle, down = oval.mean(0), (mesh[CHIN, :2] - mesh[FOREHEAD, :2]) * scale
    across = np.array([down[1], -down[0]])
    labels = np.full((MATTE, MATTE), cv2.GC_BGD, np.uint8)
    head = np.concatenate([middle + (oval - middle) * 1.4, middle + (oval - middle) * 1.15 - 0.25 * down])
    shoulders = np.stack([-0.3 * across, 0.3 * across, 1.3 * across + 2.5 * down, 2.5 * down - 1.3 * across])
    chest = np.stack([down - 0.25 * across, down + 0.25 * across, 3 * down])
    parts = (
        (cv2.GC_PR_BGD, middle + (oval - middle) * 2.0),
        (cv2.GC_PR_FGD, head),
        (cv2.GC_PR_FGD, middle + shoulders),
        (cv2.GC_FGD, middle + (oval - middle) * 0.95),
        (cv2.GC_FGD, middle + chest),
    )
    for label, ring in parts:
        cv2.fillConvexPoly(labels, cv2.convexHull(np.round(ring).astype(np.int32)), int(label))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    return np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
