"""The shipped landmark network: size, contract, and results on a real photograph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from paths import ASSETS

from rtswap.core.types import Mesh
from rtswap.networks.landmarks import MeshLandmarks

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it runs the network here")
MODEL = ASSETS / "landmarks.onnx"
# Read off the enlarged photograph by eye: pupils and mouth corners.
PUPILS = np.array([[202.3, 100.6], [245.8, 102.8]])
CORNERS = np.array([[201.8, 139.0], [247.8, 141.0]])
APART = float(np.linalg.norm(PUPILS[1] - PUPILS[0]))
ROUGH = np.array([[204, 103], [245, 104], [225, 128], [204, 141], [246, 142]], np.float32)


class Runtime:
    name = "onnxruntime"

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        names = ["points", "visibility", "presence"]
        return dict(zip(names, self.session.run(names, dict(inputs)), strict=True))


@pytest.fixture(scope="module")
def engine() -> Runtime:
    return Runtime()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """(512, 512, 3) BGR: Eileen Collins, NASA, public domain."""
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed: it brings the photograph")
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


def follow(engine: Runtime, image: np.ndarray, start: np.ndarray, frames: int = 4) -> Mesh:
    """What a tracker does on a still picture: each mesh places the next crop."""
    model, face = MeshLandmarks(engine), start
    for _ in range(frames):
        mesh = model.find(image, [face])[0]
        face = mesh.points
    return mesh


def eyes_and_mouth(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    eyes = np.stack([points[[33, 133, 159, 145], :2].mean(axis=0), points[[362, 263, 386, 374], :2].mean(axis=0)])
    return eyes, points[[61, 291], :2]


def test_it_is_small_enough_to_ship() -> None:
    assert MODEL.stat().st_size <= 3_000_000


@pytest.mark.parametrize("count", [1, 2, 5])
def test_it_keeps_its_contract_for_any_number_of_faces(engine: Runtime, count: int) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (count, 128, 128, 3), np.uint8)
    outputs = engine.run({"crops": crops})
    assert outputs["points"].shape == (count, 468, 3)
    assert outputs["visibility"].shape == (count, 468)
    assert outputs["presence"].shape == (count,)
    assert all(np.isfinite(value).all() for value in outputs.values())
    assert ((outputs["visibility"] >= 0) & (outputs["visibility"] <= 1)).all()
    assert ((outputs["presence"] >= 0) & (outputs["presence"] <= 1)).all()
    alone = engine.run({"crops": crops[-1:]})["points"][0]
    assert alone == pytest.approx(outputs["points"][-1], abs=1e-2)


def test_openvino_gives_the_same_points(engine: Runtime) -> None:
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    compiled = openvino.Core().compile_model(str(MODEL), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    crops = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 3), np.uint8)
    wanted = engine.run({"crops": crops})
    found = compiled({"crops": crops})
    for name in ("points", "visibility", "presence"):
        assert np.asarray(found[name]) == pytest.approx(wanted[name], abs=2e-2)


def test_it_finds_eyes_and_mouth_of_a_photograph(engine: Runtime, photo: np.ndarray) -> None:
    mesh = follow(engine, photo, ROUGH)
    eyes, corners = eyes_and_mouth(mesh.points)
    assert mesh.presence > 0.9
    assert mesh.visibility.mean() > 0.8
    assert np.linalg.norm(eyes - PUPILS, axis=1).max() < 0.08 * APART
    assert np.linalg.norm(corners - CORNERS, axis=1).max() < 0.12 * APART


def test_following_its_own_mesh_settles(engine: Runtime, photo: np.ndarray) -> None:
    early, late = follow(engine, photo, ROUGH, 5).points, follow(engine, photo, ROUGH, 25).points
    assert np.linalg.norm((early - late)[:, :2], axis=1).mean() < 0.04 * APART


@pytest.mark.parametrize(("degrees", "zoom"), [(-20, 1.0), (20, 1.0), (0, 0.45), (0, 2.5), (15, 4.0)])
def test_points_go_where_the_face_goes(engine: Runtime, photo: np.ndarray, degrees: float, zoom: float) -> None:
    change = cv2.getRotationMatrix2D((224, 120), degrees, zoom)
    change[:, 2] += np.array([224, 120]) * (zoom - 1)
    side = round(512 * max(zoom, 1))
    moved = cv2.warpAffine(photo, change, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    still = follow(engine, photo, ROUGH)
    gone = follow(engine, moved, (ROUGH @ change[:, :2].T + change[:, 2]).astype(np.float32))
    wanted = still.points[:, :2] @ change[:, :2].T + change[:, 2]
    apart = np.linalg.norm(gone.points[:, :2] - wanted, axis=1).mean()
    assert apart < 0.06 * APART * zoom
    assert gone.presence > 0.9


def test_sensor_noise_hardly_moves_the_points(engine: Runtime, photo: np.ndarray) -> None:
    """A face of 300 px under noise of sigma 3: less than 0.3 px, before any smoothing."""
    zoom = 3.0
    large = cv2.resize(photo[40:220, 130:320], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    start = follow(engine, large, ((ROUGH - (130, 40)) * zoom).astype(np.float32)).points
    rng, model = np.random.default_rng(0), MeshLandmarks(engine)
    found = []
    for _ in range(12):
        noisy = np.clip(large + rng.normal(0, 3, large.shape), 0, 255).astype(np.uint8)
        found.append(model.find(noisy, [start])[0].points[:, :2])
    spread = np.stack(found) - np.mean(found, axis=0)
    assert np.sqrt((spread**2).sum(axis=-1).mean()) < 0.3


def test_finds_no_face_in_pictures_without_one(engine: Runtime, photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    empty = np.full((200, 200, 3), 90, np.uint8)
    noise = rng.integers(0, 256, (200, 200, 3), np.uint8)
    rocket = np.ascontiguousarray(photo[300:500, 20:220])
    face = ROUGH - ROUGH.mean(axis=0) + 100
    for image in (empty, noise, rocket):
        assert MeshLandmarks(engine).find(image, [face.astype(np.float32)])[0].presence < 0.5


def test_points_under_a_thing_held_before_the_face_are_hidden(engine: Runtime, photo: np.ndarray) -> None:
    open_ = follow(engine, photo, ROUGH)
    held = photo.copy()
    cv2.rectangle(held, (190, 122), (262, 175), (150, 60, 30), -1)
    mesh = MeshLandmarks(engine).find(held, [open_.points])[0]
    mouth = [61, 291, 13, 14, 0, 17, 78, 308]
    assert mesh.visibility[mouth].mean() < open_.visibility[mouth].mean() - 0.3
    eyes, _ = eyes_and_mouth(mesh.points)
    assert np.linalg.norm(eyes - PUPILS, axis=1).max() < 0.2 * APART
