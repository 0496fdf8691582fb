"""Who a source is, in the space that a swapper asks for: for one photo as for several, and only if it asks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from people import face_models, person
from photos import Face, Scene, world

from rtswap.core.errors import NotInstalled, RtswapError, SourceError
from rtswap.core.protocols import Embedder
from rtswap.core.types import Image, Points, SourceIdentity
from rtswap.source import load_source
from rtswap.source.personas import persona_photo
from rtswap.vision.images import read_image


class Compass:
    """Where the left eye lies from the picture's upper left corner: unit vectors that tell the photos apart."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def embed(self, image: Image, keypoints: Points) -> Points:
        self.sizes.append(len(image))
        return np.asarray(keypoints[0] / np.linalg.norm(keypoints[0]), np.float32)


def absent() -> Embedder:
    raise NotInstalled("the weights of that network are not installed", do="Run: pip install it")


def test_one_photo_has_an_identity() -> None:
    photos = world(me=Scene())
    vector = photos.load("me.jpg").identity("dlib")
    assert vector.shape == (128,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert vector.dtype == np.float32


def test_no_network_is_opened_for_one_photo_until_its_identity_is_requested() -> None:
    photos = world(me=Scene())
    source = photos.load("me.jpg")
    assert photos.opened == 0
    first = source.identity("dlib")
    assert source.identity("dlib") is first
    assert photos.opened == 1


def test_several_photos_are_compared_and_averaged_by_one_look_at_each() -> None:
    photos = world(a=Scene(), b=Scene((Face(yaw=10),)))
    source = photos.load("a.jpg", "b.jpg")
    assert photos.opened == 1
    source.identity("dlib")
    assert photos.opened == 1


def test_another_space_is_the_weighted_mean_over_the_portraits_of_those_photos_that_are_used() -> None:
    photos = world(good=Scene(), worse=Scene((Face(eyes_px=60),)), other=Scene((Face(eyes_px=115, person=5),)))
    compass = Compass()
    source = photos.load(
        "good.jpg", "other.jpg", "worse.jpg", spaces={"dlib": photos.open, "compass": lambda: compass}
    )
    alone = [
        world(me=photos.scenes[Path(f"{name}.jpg")]).load("me.jpg", spaces={"compass": Compass}).identity("compass")
        for name in ("good", "worse")
    ]
    shares = [
        int(event.split(" has a weight of ")[1].split("%")[0])
        for event in photos.events
        if " has a weight of " in event
    ]
    mean = shares[0] * alone[0] + shares[1] * alone[1]
    np.testing.assert_allclose(source.identity("compass"), mean / np.linalg.norm(mean), atol=1e-3)
    assert len(compass.sizes) == 2, "the stranger's photo does not count"
    assert compass.sizes[0] == len(source.portrait)


def test_an_unknown_space_is_reported_with_the_known_ones() -> None:
    with pytest.raises(SourceError, match="no identity space 'arcface'; expected dlib") as caught:
        world(me=Scene()).load("me.jpg").identity("arcface")
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="no identity network was given"):
        world(me=Scene()).load("me.jpg", spaces={}).identity("dlib")


def test_a_space_whose_package_is_missing_says_what_to_install() -> None:
    photos = world(a=Scene(), b=Scene((Face(person=5),)))
    source = photos.load("a.jpg", "b.jpg", spaces={"dlib": absent})
    assert len(source.further) == 1, "nobody can tell: the user is believed"
    with pytest.raises(NotInstalled, match=r"not installed\. Run: pip install it"):
        source.identity("dlib")


def test_a_space_that_is_broken_is_not_taken_for_a_missing_one() -> None:
    def broken() -> Embedder:
        raise RtswapError("the file is damaged")

    with pytest.raises(RtswapError, match="damaged"):
        world(a=Scene(), b=Scene()).load("a.jpg", "b.jpg", spaces={"dlib": broken})


def test_a_source_made_by_hand_says_that_its_identity_is_not_known() -> None:
    with pytest.raises(SourceError, match="'dlib' is unknown; expected a source from"):
        person("ada").identity("dlib")


@pytest.mark.skipif(find_spec("face_recognition_models") is not None, reason="it is installed here")
def test_what_the_program_says_where_dlib_is_not_installed() -> None:
    with pytest.raises(NotInstalled, match="pip install face_recognition_models"):
        _loaded("ada").identity("dlib")


@pytest.mark.skipif(find_spec("face_recognition_models") is None, reason="the extra identity is not installed")
def test_dlib_knows_a_person_by_the_portrait_as_by_the_photo() -> None:
    models, path = face_models(), persona_photo("ada")
    photo = read_image(path)
    keypoints = models.photo_detector.detect(photo)[0].keypoints
    ada = _loaded("ada").identity("dlib")
    assert ada @ models.spaces["dlib"]().embed(photo, keypoints) > 0.98
    assert ada @ _loaded("ben").identity("dlib") < 0.5


def _loaded(name: str) -> SourceIdentity:
    models = face_models()
    return load_source(
        [persona_photo(name)], detector=models.photo_detector, landmarks=models.landmarks, spaces=models.spaces
    )
