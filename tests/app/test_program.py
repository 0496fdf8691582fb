"""How the program chooses parts: built-in and plug-in swappers and finishes by their specs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from people import face_models, person

from rtswap.app import networks, program
from rtswap.app.config import Config
from rtswap.app.option_kinds import finish, runs_foreign_part
from rtswap.app.program import Program
from rtswap.compositing import finishes
from rtswap.compositing.finishes import built_in_finishes
from rtswap.compositing.finishes.poisson import PoissonBlend
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import ModelError, UsageError
from rtswap.core.parts import FinishSpec
from rtswap.core.types import Frame, Quality
from rtswap.swappers import built_in_swappers, swapper_spec


def program_of(told: list[str], **settings: Any) -> Program:
    config = Config()
    swap = {key: value for key, value in settings.items() if hasattr(config.swap, key)}
    mask = {key: value for key, value in settings.items() if hasattr(config.mask, key)}
    config = replace(config, swap=replace(config.swap, **swap), mask=replace(config.mask, **mask))
    return Program(config, on_event=told.append, models=face_models(), sources=[person("ada")])


def finishes_of(**settings: Any) -> list[str]:
    told: list[str] = []
    renderer = program_of(told, **settings).renderer(live=True)
    assert isinstance(renderer, HostRenderer)
    return [type(step).__name__ for step in renderer.finishes] + told


def test_only_requested_finishes_are_in_the_chain() -> None:
    assert "PartsMask" not in finishes_of()
    assert finishes_of(masks=(), detail="none", color="none") == []


def test_a_mask_comes_before_the_colours_that_are_matched_inside_it() -> None:
    chain = finishes_of(keep=("mouth",), color="mkl")
    assert chain.index("PartsMask") < chain.index("ColorMatch")


def test_detail_is_restored_before_it_is_matched() -> None:
    assert "RestoreDetail" not in finishes_of()
    chain = finishes_of(detail="restore")
    assert chain.index("RestoreDetail") < chain.index("MatchDetail")


@pytest.mark.parametrize(("settings", "follows"), [({}, 1.0), ({"box_average": 0.9}, 0.1)])
def test_the_tracker_follows_as_the_settings_say(settings: dict[str, float], follows: float) -> None:
    config = Config()
    config = replace(config, tracking=replace(config.tracking, **settings))
    tracker = Program(config, on_event=print, models=face_models(), sources=[person("ada")]).tracker()
    picture, places = person("ada").portrait, []
    for number, shift in enumerate((0, 0, 40)):
        moved = np.roll(picture, shift, axis=1)
        (track,) = tracker.update(Frame(moved, number, number / 30, number / 30), Quality())
        places.append(float(track.landmarks[:, 0].mean()))
    assert (places[2] - places[1]) / 40 == pytest.approx(follows, abs=0.1)


@pytest.mark.parametrize("color", ["idt", "sot"])
def test_slow_finishes_are_reported_before_a_live_session(color: str) -> None:
    assert "--color" in finishes_of(color=color)[-1]


@pytest.mark.parametrize(
    ("parts", "keep", "partial"),
    [(("all",), (), False), (("eyes",), (), True), (("all",), ("mouth",), True), (("all", "eyes"), (), False)],
)
def test_parts_of_the_targets_own_face_are_kept_only_on_request(
    parts: tuple[str, ...], keep: tuple[str, ...], partial: bool
) -> None:
    assert replace(Config().mask, parts=parts, keep=keep).partial is partial


def test_swapper_names_are_distinct_and_aliases_resolve() -> None:
    names = [name for spec in built_in_swappers() for name in (spec.name, *spec.aliases)]
    assert len(set(names)) == len(names)
    for spec in built_in_swappers():
        assert {swapper_spec(name) for name in (spec.name, *spec.aliases)} == {spec}


def test_a_mistyped_swapper_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"unknown name 'mash' in swappers.*Did you mean mesh"):
        Program(Config(), on_event=pytest.fail, models=face_models(), swapper="mash")


@pytest.mark.parametrize("spec", [*built_in_swappers(), *built_in_finishes()], ids=lambda spec: spec.name)
def test_a_part_has_a_version_for_a_gpu_or_is_known_to_have_none(spec: Any) -> None:
    listed = spec.name in ("poisson", "enhance", "xseg", "bisenet")
    assert (spec.build_gpu is None) == listed, f"give {spec.name} a build_gpu, or list it here, but not both"


def extra(spec: FinishSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finish that comes with rtswap and that no setting turns on."""
    ours = built_in_finishes()
    monkeypatch.setattr(finishes, "built_in_finishes", lambda: (*ours, spec))
    for module in (networks, program):
        monkeypatch.setattr(module, "built_in_finishes", lambda: (*ours, spec))


def test_a_finish_of_our_own_without_a_setting_is_turned_on_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    extra(FinishSpec("brighter", "", "color", lambda context: PoissonBlend(), networks=absent), monkeypatch)
    assert "PoissonBlend" not in finishes_of()  # nor are its networks opened
    with pytest.raises(ModelError, match="absent"):
        finishes_of(finishes=("brighter",))
    extra(FinishSpec("brighter", "", "color", lambda context: PoissonBlend()), monkeypatch)
    assert "PoissonBlend" in finishes_of(finishes=("brighter",))
    assert finish().parse("brighter") == "brighter"
    with pytest.raises(ValueError, match=r"installed: .*brighter"):
        finish().parse("darker")
    assert not runs_foreign_part(("brighter",))
    assert runs_foreign_part(("brighter", "theirs"))


def absent(_: object) -> tuple[str, ...]:
    raise ModelError("absent")
