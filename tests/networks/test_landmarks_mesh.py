"""Dense landmarks: crop placement, mapping back to the frame, and hostile input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.core.errors import ModelError
from rtswap.networks.landmarks import MARGIN, MeshLandmarks, place, to_frame
from rtswap.vision.crops import cut_into

SIZE = 128
KEYPOINTS = np.array([[100, 120], [160, 120], [130, 155], [108, 185], [152, 185]], np.float32)


def some_mesh() -> np.ndarray:
    """(468, 3) a flat face: an ellipse of points with eyes and mouth corners where a face has them."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 468), np.sqrt(rng.uniform(0, 1, 468))
    mesh = np.stack([130 + 66 * radius * np.cos(angle), 150 + 76 * radius * np.sin(angle), 20 * radius], 1)
    for index, at in {33: (85, 120), 133: (115, 120), 362: (145, 120), 263: (175, 120)}.items():
        mesh[index, :2] = at
    mesh[61, :2], mesh[291, :2] = (108, 185), (152, 185)
    mesh[10, :2], mesh[152, :2] = (130, 74), (130, 226)
    return mesh.astype(np.float32)


class FakeEngine:
    """Answers with ``points_of(crop)`` for every crop, and counts its runs."""

    name = "fake"

    def __init__(self, points_of: Callable[[np.ndarray], np.ndarray]) -> None:
        self.points_of, self.runs, self.seen = points_of, 0, np.empty(0)

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        crops = inputs["crops"]
        assert crops.dtype == np.uint8
        assert crops.shape[1:] == (SIZE, SIZE, 3)
        self.runs, self.seen = self.runs + 1, crops.copy()
        count = len(crops)
        return {
            "points": np.stack([self.points_of(crop) for crop in crops]).astype(np.float32),
            "visibility": np.full((count, 468), 0.75, np.float32),
            "presence": np.full(count, 0.9, np.float32),
        }


def bright_spot(crop: np.ndarray) -> np.ndarray:
    """Every point at the centre of mass of what is bright; z = 10 crop pixels."""
    weight = np.maximum(crop[..., 0].astype(float) - 60, 1e-9)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    centre = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    return np.tile([*centre, 10.0], (468, 1))


def similarity(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((130, 150), degrees, scale)
    matrix[:, 2] += shift
    return matrix


@pytest.mark.parametrize("face", [KEYPOINTS, some_mesh()], ids=["keypoints", "mesh"])
@given(
    degrees=st.floats(-180, 180),
    scale=st.floats(0.1, 20),
    shift=st.tuples(st.floats(-500, 2000), st.floats(-500, 2000)),
)
@settings(max_examples=40, deadline=None)
def test_the_crop_follows_the_face(
    face: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]
) -> None:
    change = similarity(degrees, scale, shift)
    gone = face.copy()
    gone[:, :2] = face[:, :2] @ change[:, :2].T + change[:, 2]
    before, after = place(face, SIZE), place(gone, SIZE)
    assert before is not None
    assert after is not None
    seen_before = face[:, :2] @ before[:, :2].T + before[:, 2]
    seen_after = gone[:, :2].astype(np.float64) @ after[:, :2].T.astype(np.float64) + after[:, 2]
    assert np.abs(seen_before - seen_after).max() < 0.2


@pytest.mark.parametrize("face", [KEYPOINTS, some_mesh()], ids=["keypoints", "mesh"])
def test_the_crop_is_an_upright_similarity(face: np.ndarray) -> None:
    matrix = place(face, SIZE)
    assert matrix is not None
    assert matrix[0, 0] == pytest.approx(matrix[1, 1])
    assert matrix[0, 1] == pytest.approx(-matrix[1, 0], abs=1e-6)
    eyes = (face[:2] if len(face) == 5 else face[[33, 263]])[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=0.5)
    assert eyes[0, 0] < eyes[1, 0]


def test_keypoints_and_mesh_of_one_face_agree_on_the_crop() -> None:
    by_keypoints, by_mesh = place(KEYPOINTS, SIZE), place(some_mesh(), SIZE)
    assert by_keypoints is not None
    assert by_mesh is not None
    corners = np.array([[60, 70, 1], [200, 70, 1], [60, 230, 1], [200, 230, 1]])
    assert np.abs(corners @ by_keypoints.T - corners @ by_mesh.T).max() < 0.12 * SIZE


def test_the_whole_mesh_is_inside_the_crop_with_the_margin_it_was_trained_on() -> None:
    mesh = some_mesh()
    matrix = place(mesh, SIZE)
    assert matrix is not None
    seen = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.ptp(seen, axis=0).max() == pytest.approx(SIZE / MARGIN, abs=0.01)
    assert (seen.max(axis=0) + seen.min(axis=0)) / 2 == pytest.approx([SIZE / 2, SIZE / 2], abs=0.01)


@pytest.mark.parametrize("zoom", [0.3, 0.7, 1.0, 2.0, 3.3, 5.0, 9.0])
@pytest.mark.parametrize("degrees", [0, 33, -140])
def test_a_spot_is_found_where_it_is_in_the_frame_at_every_size(zoom: float, degrees: float) -> None:
    change = similarity(degrees, zoom, (0, 0))
    mesh = some_mesh()
    mesh[:, :2] = mesh[:, :2] @ change[:, :2].T + change[:, 2]
    shift = 20 - mesh[:, :2].min(axis=0)
    mesh[:, :2] += shift
    width, height = np.ceil(mesh[:, :2].max(axis=0) + 20).astype(int)
    spot = mesh[:, :2].mean(axis=0) + np.array([7.3, -4.6]) * zoom
    image = np.full((height, width, 3), 40, np.uint8)
    fixed = np.round(spot * 16).astype(int)
    cv2.circle(image, (int(fixed[0]), int(fixed[1])), round(9 * zoom * 16), (240, 240, 240), -1, cv2.LINE_AA, 4)
    found = MeshLandmarks(FakeEngine(bright_spot)).find(image, [mesh])[0]
    assert np.abs(found.points[:, :2] - spot).max() < 0.35 * max(zoom, 0.6)
    matrix = place(mesh, SIZE)
    assert matrix is not None
    assert found.points[0, 2] == pytest.approx(10 / np.hypot(matrix[0, 0], matrix[1, 0]), rel=1e-4)
    assert found.presence == pytest.approx(0.9)
    assert found.visibility == pytest.approx(np.full(468, 0.75))


def test_large_faces_are_averaged_down_so_that_noise_does_not_alias() -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(128, 40, (1400, 1400, 3)).clip(0, 255).astype(np.uint8)
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    cut_into(image, np.array([[0.1, 0, 0], [0, 0.1, 0]], np.float32), out)
    assert out.std() < 8


def test_all_faces_share_one_run_and_keep_their_order() -> None:
    engine = FakeEngine(bright_spot)
    image = np.full((480, 640, 3), 200, np.uint8)
    model = MeshLandmarks(engine)
    meshes = model.find(image, [KEYPOINTS, some_mesh(), KEYPOINTS + 200])
    assert engine.runs == 1
    assert [round(float(mesh.points[0, 0])) // 100 for mesh in meshes] == [1, 1, 3]
    assert len(model.find(image, [KEYPOINTS])) == 1


def test_no_faces_need_no_run() -> None:
    engine = FakeEngine(bright_spot)
    assert MeshLandmarks(engine).find(np.zeros((10, 10, 3), np.uint8), []) == []
    assert engine.runs == 0


def test_the_frame_is_only_read() -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    before = image.copy()
    image.flags.writeable = False
    MeshLandmarks(FakeEngine(bright_spot)).find(image, [KEYPOINTS, some_mesh() * 4])
    assert (image == before).all()


@pytest.mark.parametrize(
    "face",
    [
        np.full((5, 2), np.nan, np.float32),
        np.zeros((5, 2), np.float32),
        np.full((468, 3), np.inf, np.float32),
        np.full((468, 3), 7, np.float32),
        KEYPOINTS * 1e30,
    ],
    ids=["nan", "one place", "infinite", "mesh in one place", "huge"],
)
def test_invalid_face_is_absent_and_others_are_found(face: np.ndarray) -> None:
    image = np.full((480, 640, 3), 200, np.uint8)
    lost, kept = MeshLandmarks(FakeEngine(bright_spot)).find(image, [face, KEYPOINTS])
    assert lost.presence == 0
    assert not lost.visibility.any()
    assert lost.points.shape == (468, 3)
    assert kept.presence > 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("output", ["points", "visibility", "presence"])
def test_numbers_that_are_none_are_a_failure_not_an_empty_picture(bad: float, output: str) -> None:
    class Broken(FakeEngine):
        def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
            outputs = {name: value.copy() for name, value in super().run(inputs).items()}
            outputs[output].reshape(-1)[0] = bad
            return outputs

    with pytest.raises(ModelError, match="not finite"):
        MeshLandmarks(Broken(bright_spot)).find(np.full((300, 300, 3), 200, np.uint8), [some_mesh()])


@pytest.mark.parametrize("output", ["points", "visibility", "presence"])
@pytest.mark.parametrize("how", ["missing", "other shape"])
def test_a_network_that_breaks_its_contract_is_named(output: str, how: str) -> None:
    class Broken(FakeEngine):
        def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
            outputs = dict(super().run(inputs))
            if how == "missing":
                del outputs[output]
            else:
                outputs[output] = outputs[output][..., None]
            return outputs

    with pytest.raises(ModelError, match=output):
        MeshLandmarks(Broken(bright_spot)).find(np.full((300, 300, 3), 200, np.uint8), [KEYPOINTS])


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    scale=st.floats(0.01, 60),
    shift=st.tuples(st.floats(-9000, 9000), st.floats(-9000, 9000)),
)
@settings(max_examples=80, deadline=None)
def test_any_frame_and_any_face_give_finite_points(
    height: int, width: int, scale: float, shift: tuple[float, float]
) -> None:
    image = np.full((height, width, 3), 200, np.uint8)
    face = (KEYPOINTS * scale + shift).astype(np.float32)
    mesh = MeshLandmarks(FakeEngine(bright_spot)).find(image, [face])[0]
    assert np.isfinite(mesh.points).all()
    assert 0 <= mesh.presence <= 1


def test_there_and_back_is_the_identity() -> None:
    matrix = place(some_mesh(), SIZE)
    assert matrix is not None
    mesh = some_mesh()
    seen = mesh.copy()
    seen[:, :2] = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    seen[:, 2] *= np.hypot(matrix[0, 0], matrix[1, 0])
    assert to_frame(seen, matrix) == pytest.approx(mesh, abs=1e-3)
