"""A swapper that gives back the target's own face does not go on air."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from people import ReadyMesh, face_models, group, person
from prepared_sources import ready  # noqa: F401

from rtswap.app.config import Config
from rtswap.app.model_section import ModelsConfig
from rtswap.app.probes import Probes
from rtswap.app.program import Program
from rtswap.app.swap_check import FACES
from rtswap.core.errors import ModelError
from rtswap.core.parts import FinishSpec
from rtswap.core.protocols import SwapModel, Swapper
from rtswap.core.types import Frame, Image, Quality, SourceIdentity, SwappedFace, Target
from rtswap.disclosure import Disclosure
from rtswap.swappers.mesh.swapper import MeshSwapModel

Change = Callable[[Image, Image], Image]
"""The target's crop and what ``mesh`` makes of it -> what the swapper returns."""


class Spoilt:
    """``mesh``, whose result is changed."""

    def __init__(self, change: Change) -> None:
        self._change = change

    def bind(self, source: SourceIdentity) -> Swapper:
        swapper, change = ReadyMesh().bind(source), self._change

        class Bound:
            view, forget = swapper.view, swapper.forget

            def swap(self, face: Target, quality: Quality) -> SwappedFace:
                found = swapper.swap(face, quality)
                return SwappedFace(change(face.crop, found.crop), found.mask)

        return Bound()


def noisy(target: Image, _: Image) -> Image:
    noise = np.random.default_rng(1).normal(0, 5, target.shape)
    return np.asarray((target + noise).clip(0, 255), np.uint8)


def blended(target: Image, swapped: Image, share: float = 0.25) -> Image:
    return np.asarray(cv2.addWeighted(swapped, share, target, 1 - share, 0), np.uint8)


def brighter(target: Image, _: Image) -> Image:
    return np.asarray(cv2.convertScaleAbs(target, alpha=1.1, beta=6), np.uint8)


def blurred(target: Image, _: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(target, (0, 0), 2.0), np.uint8)


def tinted(target: Image, _: Image) -> Image:
    return np.asarray((target * np.array([0.55, 0.8, 1.25])).clip(0, 255), np.uint8)


def program_with(model: SwapModel, source: str, probes: Probes | None = None) -> Program:
    unseen = Disclosure(None, reason="a test")
    sources = [person(source)]
    return Program(
        Config(),
        on_event=print,
        models=face_models(),
        sources=sources,
        swapper=model,
        disclosure=unseen,
        probes=probes,
    )


@pytest.mark.parametrize("source", ["ada", "dan"])
@pytest.mark.parametrize("change", [noisy, blended, brighter, blurred, tinted])
def test_a_swapper_that_hardly_changes_a_face_is_refused(change: Change, source: str) -> None:
    with pytest.raises(ModelError, match=r"shows the target.s own.*Train it longer"):
        program_with(Spoilt(change), source).renderer(live=True)


@pytest.mark.parametrize("source", ["ada", "ben", "dan", "amara", "george"])
def test_a_swapper_that_swaps_is_not(source: str) -> None:
    """Not even with a source that is one of the faces it is tried on."""
    assert len(program_with(MeshSwapModel(), source).swappers) == 1


def test_a_swapper_that_paints_something_else_is_not() -> None:
    assert program_with(Spoilt(lambda target, _: np.full_like(target, 120)), "ada").swappers


def test_a_swapper_that_fails_is_left_to_the_loop_which_covers() -> None:
    def fail(target: Image, swapped: Image) -> Image:
        raise RuntimeError("broken")

    assert program_with(Spoilt(fail), "ada").swappers


def test_what_is_only_measured_is_not_checked() -> None:
    assert program_with(Spoilt(noisy), "ada", Probes()).swappers


def test_the_swappers_that_come_with_rtswap_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own tests hold that they swap, and a start should take no longer than it must."""
    monkeypatch.setattr("rtswap.app.swap_check.SwapCheck.run", lambda *_: pytest.fail("checked"))
    program = Program(Config(), on_event=print, models=face_models(), sources=[person("ada")])
    assert program.swappers


def unmasked(change: Change) -> Change:
    """Swaps the two personas that it is tried on, and goes over to ``change`` when it is on air."""
    tried = iter(range(len(FACES)))
    return lambda target, swapped: change(target, swapped) if next(tried, None) is None else swapped


@pytest.mark.parametrize("photos", [False, True])
@pytest.mark.parametrize("change", [noisy, blurred, lambda target, swapped: swapped])
def test_a_swapper_that_shows_the_own_face_when_it_is_on_air_shows_nobody(change: Change, photos: bool) -> None:
    """A network of 2 MB did, and the face was counted as swapped."""
    face = group("ben", size=320)
    program = program_with(Spoilt(unmasked(change)), "ada")
    pipeline = program.pipeline(live=False, photos=photos)
    for number in range(3):
        outcome = pipeline.process(Frame(face.copy(), number, number / 30, number / 30), Quality())
        assert outcome.image is not None
        assert outcome.swapped == (0 if change in (noisy, blurred) else 1)
        assert np.abs(outcome.image.astype(int) - face)[100:220, 100:220].mean() > 8


@pytest.mark.parametrize("photos", [False, True])
@pytest.mark.parametrize("change", [noisy, blurred, lambda target, swapped: swapped])
def test_a_finish_of_others_that_shows_the_own_face_shows_nobody(change: Change, photos: bool) -> None:
    """With a swapper that comes with rtswap."""

    class Back:
        def apply(self, swapped: SwappedFace, target: Target, quality: Quality) -> SwappedFace:
            return SwappedFace(change(target.crop, swapped.crop), swapped.mask)

        def forget(self, track_id: int) -> None: ...

    face, spec = group("ben", size=320), FinishSpec("back", "gives the face back", "color", lambda context: Back())
    unseen = Disclosure(None, reason="a test")
    program = Program(
        Config(), on_event=print, models=face_models(), sources=[person("ada")], finishes=[spec], disclosure=unseen
    )
    outcome = program.pipeline(live=False, photos=photos).process(Frame(face.copy(), 0, 0.0, 0.0), Quality())
    assert outcome.image is not None
    assert outcome.swapped == (0 if change in (noisy, blurred) else 1)
    assert np.abs(outcome.image.astype(int) - face)[100:220, 100:220].mean() > 8


def test_who_wants_to_see_parts_of_the_own_face_is_not_watched() -> None:
    config = Config(models=ModelsConfig(coverage=0.5))
    program = program_with(Spoilt(unmasked(noisy)), "ada")
    program.config = config
    face = group("ben", size=320)
    assert program.pipeline(live=False).process(Frame(face, 0, 0.0, 0.0), Quality()).swapped == 1
