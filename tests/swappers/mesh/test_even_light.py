"""Hard light in the photo: it is divided out with its edges, and what belongs to the person stays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from people import NAMES, face_models, person

from rtswap.core.types import Image
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.photo_light import PhotoLightModel
from rtswap.networks.registry import Registry
from rtswap.swappers.mesh.even_light import in_even_light
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.mesh.texture import Texture
from rtswap.swappers.mesh.uv_chart import COARSE, SIZE, inwards, to_chart
from rtswap.vision.resample import resized

SKIN = np.array([90, 120, 160], np.float32)
CHEEKS = np.s_[240:330, 90:170], np.s_[240:330, SIZE - 170 : SIZE - 90]


class Answering(PhotoLightModel):
    """Finds the light that it is told of, (128, 128)."""

    def __init__(self, light: np.ndarray) -> None:
        self._light = np.repeat(light[..., None].astype(np.float32), 3, axis=2)
        self._asked = False

    def find(self, texture: Image) -> np.ndarray:
        """In the first pass."""
        before, self._asked = self._asked, True
        return self._light * (not before)


@pytest.fixture(scope="module")
def network() -> PhotoLightModel:
    return PhotoLightModel(OnnxRuntimeEngine(Registry().path("photo_light"), threads=1))


def freckled() -> Image:
    """Skin with fine spots."""
    noise = np.random.default_rng(1).normal(1, 0.06, (SIZE, SIZE, 1)).astype(np.float32)
    return np.clip(SKIN * noise, 0, 255).astype(np.uint8)


def half_dark(share: float, soft: float = 1.0) -> np.ndarray:
    """(512, 512) ``share`` of the light on the left half."""
    shade = np.ones((SIZE, SIZE), np.float32)
    shade[:, : SIZE // 2 - 14] = share
    return cv2.GaussianBlur(shade, (0, 0), soft)


def test_a_shadow_is_divided_out_with_its_edge_and_freckles_stay() -> None:
    """The network answers at a quarter of the chart's size: without the photo's own edges a seam would stay."""
    plain, shade = freckled(), half_dark(0.5)
    dark = (plain * shade[..., None]).astype(np.uint8)
    even = in_even_light(dark, Answering(np.log(resized(shade, (COARSE, COARSE), cv2.INTER_AREA)))).astype(float)
    middle = np.s_[150:350, 120:-120]
    assert np.abs(even[middle].mean(2).mean(0) - plain[middle].mean(2).mean(0)).max() < 0.06 * SKIN.mean()
    left = np.s_[150:350, 120:220]
    assert even[left].mean(2).std() == pytest.approx(plain[left].mean(2).std(), rel=0.25)


def test_the_face_is_as_light_as_where_it_is_lit() -> None:
    dark = (freckled() * half_dark(0.4)[..., None]).astype(np.uint8)
    even = in_even_light(dark, Answering(np.log(resized(half_dark(0.4), (COARSE, COARSE), cv2.INTER_AREA)) - 3))
    assert even[150:350, 120:-120].mean() == pytest.approx(SKIN.mean(), rel=0.06)


def test_no_light_changes_nothing() -> None:
    assert (
        np.abs(in_even_light(freckled(), Answering(np.zeros((COARSE, COARSE)))).astype(int) - freckled()).max() <= 1
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_person_in_even_light_stays_as_they_are(name: str, network: PhotoLightModel) -> None:
    plain = to_chart(person(name).portrait, person(name).landmarks).image
    inside = resized((inwards() > 0.1).astype(np.uint8), (SIZE, SIZE), cv2.INTER_NEAREST) > 0
    logs = np.log((in_even_light(plain, network) + 4.0) / (plain + 4.0))[inside].mean(1)
    assert np.abs(logs - np.median(logs)).mean() < 0.04


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("share", "soft"), [(0.5, 3.0), (0.3, 8.0)])
def test_half_a_face_in_shadow_becomes_like_the_other(
    share: float, soft: float, mirrored: bool, network: PhotoLightModel
) -> None:
    """It went out as a patch with an edge on every face."""
    plain = to_chart(person("ada").portrait, person("ada").landmarks).image
    shade = half_dark(share, soft)
    dark = (plain * (shade[:, ::-1] if mirrored else shade)[..., None]).astype(np.uint8)

    def apart(picture: Image) -> float:
        left, right = (np.log(np.median(picture[cheek].astype(float).mean(2))) for cheek in CHEEKS)
        return abs(float(left - right) - own)

    own = 0.0
    own = float(np.log(np.median(plain[CHEEKS[0]].mean(2)) / np.median(plain[CHEEKS[1]].mean(2))))
    assert apart(in_even_light(dark, network)) < 0.5 * apart(dark)


def test_the_photo_s_light_is_kept_where_it_is_asked_for(network: PhotoLightModel) -> None:
    who = person("ben")
    kept = MeshSwapModel(light=False, light_model=network).face(who).texture.full
    assert np.array_equal(kept, Texture.bake(who.portrait, who.landmarks).full)


def test_the_program_evens_out_the_light() -> None:
    assert "photo_light" in face_models().open(("photo_light",))
    assert Path(Registry().path("photo_light")).stat().st_size < 5e6
