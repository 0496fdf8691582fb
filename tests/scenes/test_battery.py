"""Nobody leaves bare: staged scenes of every kind that blinded a detector, through the whole program.

The judge knows where every face is (``staged_scenes.bareness``). The first scene of each kind is played; with
``RTSWAP_SCENES=many`` all, six times, with other people in other places: ``make test-scenes``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from evasion_scenes import evasion_scenes
from hard_scenes import hard_scenes
from people import face_models
from plain_scenes import plain_scenes
from staged_scenes import Scene, bareness, frames
from trick_scenes import trick_scenes

from rtswap.app.config import Config
from rtswap.app.program import Program
from rtswap.core.types import Frame, Quality
from rtswap.disclosure import Disclosure

BARE = 0.65
"""Share of a face that is unchanged above which it is bare: 0 where it is covered, up to 0.5 where it is swapped."""
EMPTY_AFTER_S = 0.35
"""Short, so that what would leave after three seconds leaves within a scene."""
MANY = os.environ.get("RTSWAP_SCENES") == "many"
TURNS = 6 if MANY else 1


def scenes_by_kind() -> dict[str, list[Scene]]:
    found: dict[str, list[Scene]] = {}
    for scene in (*plain_scenes(TURNS), *evasion_scenes(TURNS), *trick_scenes(TURNS), *hard_scenes(TURNS)):
        found.setdefault(scene.kind, []).append(scene)
    return found if MANY else {kind: played[:1] for kind, played in found.items()}


SCENES = scenes_by_kind()


@dataclass
class Played:
    """What became of one frame."""

    index: int
    bare: list[str]
    covered: bool
    swapped: int


@pytest.fixture(scope="module")
def program() -> Program:
    config = Config()
    config = replace(config, source=replace(config.source, photos=("persona:vera",)))
    config = replace(config, safety=replace(config.safety, empty_after_s=EMPTY_AFTER_S))
    return Program(
        config, on_event=lambda text: None, models=face_models(), disclosure=Disclosure(None, reason="a test")
    )


def play(program: Program, scene: Scene) -> Iterator[Played]:
    program.config = replace(program.config, tracking=replace(program.config.tracking, faces=scene.faces))
    pipeline = program.pipeline(live=False)
    for index, (picture, faces) in enumerate(frames(scene)):
        before = picture.copy()
        outcome = pipeline.process(Frame(picture, index, index / scene.fps, index / scene.fps), Quality())
        assert outcome.image is not None
        after = outcome.image
        bare = [face.who for face in faces if bareness(before, after, face) > BARE]
        yield Played(index, bare, bool(outcome.covered), outcome.swapped)


def test_there_are_enough_scenes() -> None:
    assert sum(map(len, SCENES.values())) >= 120


@pytest.mark.parametrize("kind", sorted(SCENES))
def test_nobody_leaves_bare(program: Program, kind: str) -> None:
    bare = {scene.name: [(one.index, one.bare) for one in play(program, scene) if one.bare] for scene in SCENES[kind]}
    assert not {name: found for name, found in bare.items() if found}
