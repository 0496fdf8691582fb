"""FSGAN live, with networks whose answers can be foreseen: views, steps, holes, the blend, incomplete files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from people import person, place_mesh, swap_face

from rtswap.core.errors import ModelError, SourceError
from rtswap.core.types import Portrait, Quality, SourceIdentity, Target, Tensor
from rtswap.networks.catalog import Entry
from rtswap.swappers import fsgan
from rtswap.swappers.fsgan.steps import outline_of
from rtswap.swappers.fsgan.swapper import FsganSwapModel, FsganSwapper, mouth_of
from rtswap.swappers.onnx.crops import COVERAGE
from rtswap.vision.geometry import resizing, transform
from rtswap.vision.topology import LIPS_INNER

SIDE = 64


class Network:
    """Notes what it is given and answers by ``answer``."""

    name = "scripted"

    def __init__(self, answer: Any) -> None:
        self._answer, self.inputs = answer, []

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.inputs.append({name: np.array(value) for name, value in inputs.items()})
        return {"made": np.asarray(self._answer(**inputs), np.float32)}


def networks() -> dict[str, Network]:
    """Reenacting gives the view; holes become 250; the face is pasted."""
    return {
        "reenact": Network(lambda view_points, points, **view: next(iter(view.values()))),
        "inpaint": Network(lambda face, hole: np.where(hole[..., None] > 127, 250, face)),
        "blend": Network(lambda face, target, mask: np.where(mask[..., None] > 127, face, target)),
    }


def model(**changed: Any) -> FsganSwapModel:
    return replace(FsganSwapModel(networks(), "whole", SIDE), **changed)  # type: ignore[arg-type]


def taken(swap_model: FsganSwapModel, network: str) -> list[dict[str, Tensor]]:
    found = swap_model.engines[network]
    assert isinstance(found, Network)
    return found.inputs


def bound(swap_model: FsganSwapModel, source: SourceIdentity | None = None) -> FsganSwapper:
    swapper = swap_model.bind(person("ada") if source is None else source)
    assert isinstance(swapper, FsganSwapper)
    return swapper


def target(turn: float = 0.0) -> Target:
    """A face in a crop of the networks' size; ``turn``: degrees."""
    points = place_mesh(30, (SIDE / 2, SIDE / 2), yaw=turn)
    return Target(0, np.full((SIDE, SIDE, 3), 90, np.uint8), points, np.ones(468, np.float32), 0.0)


def test_the_view_is_led_to_the_sources_own_shape_and_pasted_inside_the_outline() -> None:
    swap_model = model()
    made = bound(swap_model).stages(target())
    (given,) = taken(swap_model, "reenact")
    assert given["view"].shape == (1, SIDE, SIDE, 3)
    assert given["points"].shape == (1, 468, 3)
    inside = outline_of(given["points"][0], SIDE, COVERAGE) > 0
    assert (made.blended[~inside] == 90).all()
    assert np.array_equal(made.blended[inside], made.filled[inside])


def test_a_smaller_coverage_blends_and_shows_less_of_the_face() -> None:
    counted = []
    for coverage in (1.0, 0.6):
        swap_model = model(coverage=coverage)
        swapped = bound(swap_model).swap(target(), Quality())
        given = taken(swap_model, "blend")[0]["mask"]
        counted.append([(one > 127).sum() for one in (given, swapped.mask)])
    np.testing.assert_allclose(np.divide(counted[1], counted[0]), 0.36, atol=0.05)


def test_a_head_that_is_turned_far_is_reached_in_steps() -> None:
    swap_model = model()
    bound(swap_model).stages(target(50))
    first, second = taken(swap_model, "reenact")
    assert np.array_equal(first["points"], second["view_points"])
    assert np.allclose(first["points"], (first["view_points"] + second["points"]) / 2, atol=1e-3)


def test_an_assisted_network_gets_a_view_that_was_moved() -> None:
    swap_model, plain = model(assisted=True), model()
    bound(swap_model).stages(target(20))
    bound(plain).stages(target(20))
    (moved,), (view,) = taken(swap_model, "reenact"), taken(plain, "reenact")
    assert not np.array_equal(moved["warped"], view["view"])


def test_only_what_no_view_showed_is_filled() -> None:
    swap_model = model()
    swapper = bound(swap_model)
    assert not swapper.stages(target()).hole.any()
    assert not taken(swap_model, "inpaint")
    view = swapper.views[0]
    shown = view.shown.copy()
    shown[: SIDE // 2] = 0
    hidden = FsganSwapper(swap_model, [replace(view, shown=shown)])
    made = hidden.stages(target())
    assert taken(swap_model, "inpaint")
    inside = outline_of(taken(swap_model, "reenact")[-1]["points"][0], SIDE, COVERAGE) > 0
    assert (made.hole[: SIDE // 2 - 6][inside[: SIDE // 2 - 6]] == 255).mean() > 0.9
    assert not made.hole[SIDE // 2 + 6 :].any()
    assert (made.filled[made.hole > 0] == 250).all()


def test_several_photos_are_mixed_and_one_in_the_targets_pose_is_enough() -> None:
    ada = person("ada")
    matrix = resizing(1.0)
    views = []
    for turn in (0, 40):
        points = target(turn).landmarks
        views.append(Portrait(np.full((SIDE, SIDE, 3), 50 + turn, np.uint8), transform(matrix, points)))
    source = SourceIdentity(views[0].image, views[0].landmarks, further=(views[1],), identity=ada.identity)
    swap_model = model()
    swapper = bound(swap_model, source)
    middle = swapper.stages(target(20)).reenacted[SIDE // 2, SIDE // 2, 0]
    assert 60 < middle < 80
    assert len(taken(swap_model, "reenact")) == 2
    assert swapper.stages(target(20), most=1).reenacted[SIDE // 2, SIDE // 2, 0] in (50, 90)
    assert swapper.stages(target(0)).reenacted[SIDE // 2, SIDE // 2, 0] == pytest.approx(50, abs=2)


def test_a_frame_keeps_every_pixel_outside_the_face() -> None:
    picture = np.full((480, 640, 3), 90, np.uint8)
    swapped, face = swap_face(bound(model()), picture, place_mesh(200, (320, 240)))
    assert swapped.crop.shape == face.crop.shape
    assert (swapped.mask == 255).any()
    inside = outline_of(face.landmarks, len(swapped.mask), COVERAGE) > 0
    assert (swapped.mask[inside] > 0).all()
    edge = swapped.mask[[0, -1]], swapped.mask[:, [0, -1]]
    assert not any(one.any() for one in edge)


def test_an_open_mouth_stays_the_targets() -> None:
    face = target()
    shut, opened = face.landmarks.copy(), face.landmarks.copy()
    shut[LIPS_INNER, 1] = shut[LIPS_INNER, 1].mean()
    opened[LIPS_INNER, 1] += 2 * (opened[LIPS_INNER, 1] - opened[LIPS_INNER, 1].mean()) + 0.1
    opened[14, 1] += 4
    assert not mouth_of(shut, SIDE).any()
    mouth = mouth_of(opened, SIDE)
    x, y = np.round(opened[LIPS_INNER, :2].mean(0)).astype(int)
    assert mouth[y, x] > 200
    swapped = bound(model()).swap(replace(face, landmarks=opened), Quality())
    assert swapped.mask[y, x] < 60


def test_landmarks_that_are_no_face_change_nothing_and_are_refused_of_a_source() -> None:
    swapper, face = bound(model()), target()
    for points in (np.full((468, 3), np.nan, np.float32), np.zeros((468, 3), np.float32)):
        assert not swapper.swap(replace(face, landmarks=points), Quality()).mask.any()
        with pytest.raises(SourceError, match="no usable landmarks"):
            model().bind(SourceIdentity(face.crop, points))


@pytest.mark.parametrize("answer", [np.full((1, SIDE, SIDE, 3), np.nan), np.zeros((1, SIDE, SIDE))])
def test_an_answer_that_is_no_picture_is_an_error(answer: Tensor) -> None:
    swap_model = model(engines={**networks(), "blend": Network(lambda **given: answer)})
    with pytest.raises(ModelError, match="the network blend"):
        bound(swap_model).swap(target(), Quality())


def entry(name: str, sample: dict[str, str]) -> Entry:
    return Entry(name, name, "MIT", asset="x.onnx", sample=sample, system="fsgan", template="whole")


def test_the_file_says_of_which_size_its_networks_are_and_whether_they_are_assisted() -> None:
    first = {"warped": "uint8 1x64x64x3", "view_points": "float32 1x468x3", "points": "float32 1x468x3"}
    parts = {"": entry("x", first), "inpaint": entry("x-inpaint", {}), "blend": entry("x-blend", {})}
    context = SimpleNamespace(
        engines={"x": 1, "x-inpaint": 2, "x-blend": 3},
        mask=SimpleNamespace(masks=("hull",)),
        swap=SimpleNamespace(expression=0.7),
        models=SimpleNamespace(coverage=0.8),
    )
    made = fsgan.builder(parts)(context)  # type: ignore[arg-type]
    assert isinstance(made, FsganSwapModel)
    assert (made.side, made.template, made.assisted, made.expression, made.coverage) == (64, "whole", True, 0.7, 0.8)
    assert made.engines == {"reenact": 1, "inpaint": 2, "blend": 3}
    with pytest.raises(ModelError, match="does not fit together"):
        fsgan.builder({"": parts[""], "blend": parts["blend"]})(context)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="takes no picture"):
        fsgan.builder({**parts, "": entry("x", {"points": "float32 1x468x3"})})(context)  # type: ignore[arg-type]


def test_expression_can_be_adjusted_while_it_runs() -> None:
    swapper = bound(model())
    swapper.adjust(expression=0.3, strength=1.0)()
    swapper.forget(0)
    assert swapper.transfer.expression == 0.3
