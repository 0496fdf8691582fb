"""Faces of one frame share the runs of an imported swapper, each with its own source, as if each had run alone."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import foreign_models as foreign
import numpy as np
import pytest
from imported_swappers import ENGINES, Imported, embedding
from people import person, place_mesh

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import HostFrameRender, HostRenderer
from rtswap.core.errors import EngineError
from rtswap.core.types import Image, Quality, Swaps, Tensor, Track
from rtswap.disclosure.stamp import Stamp
from rtswap.swappers.onnx.swapper import OnnxSwapper

pytestmark = pytest.mark.usefixtures("models")

PLACES = ((260.3, 300.6), (640.7, 330.2), (1020.1, 380.9))


def swappers(imported: Imported, **wanted: object) -> list[OnnxSwapper]:
    """One per source, each of another identity."""
    model = imported.swap_model(**wanted)
    found = [
        model.bind(dataclasses.replace(person("ada"), identity=lambda space, seed=seed: embedding(seed)))
        for seed in range(len(PLACES))
    ]
    return [one for one in found if isinstance(one, OnnxSwapper)]


def track(number: int) -> Track:
    mesh = place_mesh(130 + 20 * number, PLACES[number], roll=5 * number)
    box = np.concatenate([mesh[:, :2].min(0), mesh[:, :2].max(0)])
    return Track(number + 1, box, mesh[:5, :2], mesh, np.ones(468, np.float32), 1.0)


def frame() -> Image:
    y, x = np.mgrid[0:720, 0:1280]
    return np.dstack([40 + x / 8, 60 + y / 6, 128 + 60 * np.sin(x / 90)]).round().astype(np.uint8)


def render(parts: list[OnnxSwapper], pairs: list[tuple[int, int]]) -> tuple[Image, Swaps]:
    """``pairs``: place of the face, and number of its source."""
    picture = frame()
    begun = HostRenderer(parts, canvas=HostCanvas, stamp=Stamp(None)).begin(picture)
    assert isinstance(begun, HostFrameRender)
    swaps = begun.swap(
        [(track(place), source) for place, source in pairs],
        quality=Quality(),
        now=0.0,
        stages=lambda name: nullcontext(),
    )
    begun.paste()
    return picture, swaps


def one_by_one(parts: list[OnnxSwapper], pairs: list[tuple[int, int]]) -> Image:
    """Each face in a frame of its own; what they changed, laid over each other."""
    whole = frame()
    for pair in pairs:
        picture, _ = render(parts, [pair])
        changed = (picture != frame()).any(-1)
        whole[changed] = picture[changed]
    return whole


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("boost", [1, 2])
def test_three_people_with_three_sources_take_one_run(tmp_path: Path, engine: str, boost: int) -> None:
    imported = Imported(tmp_path, foreign.painter(), "hyperswap", engine)
    parts, pairs = swappers(imported, boost=boost), [(0, 2), (1, 0), (2, 1)]
    wanted = one_by_one(parts, pairs)
    imported.engine.inputs.clear()
    picture, swaps = render(parts, pairs)
    assert swaps.done == (1, 2, 3)
    assert [len(one["target"]) for one in imported.engine.inputs] == [3 * boost**2]
    assert np.abs(picture.astype(int) - wanted).max() <= 1
    colours = [picture[round(y), round(x)] for x, y in PLACES]
    assert all(np.abs(one.astype(int) - other).max() > 20 for one, other in itertools.pairwise(colours))


def test_a_file_that_takes_one_picture_is_run_for_each_face(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.swapper("inswapper"), "inswapper")
    parts = swappers(imported)
    assert parts[0].batch is None
    _, swaps = render(parts, [(0, 0), (1, 1)])
    assert [one["target"].shape for one in imported.engine.inputs] == [(1, 3, 128, 128)] * 2
    sources = [one["source"] for one in imported.engine.inputs]
    assert not np.allclose(sources[0], sources[1])
    assert len(swaps.done) + len(swaps.bare) == 2


def test_a_dfms_morph_value_stays_one_number(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.dfm(), "dfm")
    render(swappers(imported), [(0, 0), (1, 0)])
    (taken,) = imported.engine.inputs
    assert taken["in_face:0"].shape == (2, 64, 64, 3)
    assert taken["morph_value:0"].shape == (1,)


def test_at_most_sixteen_pictures_go_into_one_run(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.painter(), "hyperswap")
    _, swaps = render(swappers(imported, boost=3), [(0, 0), (1, 1), (2, 2)])
    assert [len(one["target"]) for one in imported.engine.inputs] == [16, 11]
    assert swaps.done == (1, 2, 3)


class OnlyOne:
    """An engine that refuses several pictures, although the file says that it takes them."""

    def __init__(self, imported: Imported) -> None:
        self._engine, self.runs = imported.engine, 0

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.runs += 1
        if len(inputs["target"]) > 1:
            raise EngineError("a fixed shape inside")
        return self._engine.run(inputs)


def test_a_file_that_does_not_take_what_it_says_is_run_for_each_face_from_then_on(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.painter(), "hyperswap")
    model = imported.swap_model()
    model.engine = engine = OnlyOne(imported)
    source = dataclasses.replace(person("ada"), identity=lambda space: embedding(1))
    parts = [part for part in (model.bind(source), model.bind(source)) if isinstance(part, OnnxSwapper)]
    for runs in (3, 2):
        engine.runs = 0
        _, swaps = render(parts, [(0, 0), (1, 1)])
        assert swaps.done == (1, 2)
        assert engine.runs == runs


class Bad:
    """An engine whose picture for one source is not finite."""

    def __init__(self, imported: Imported, source: Tensor) -> None:
        self._engine, self._source = imported.engine, source

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        found = dict(self._engine.run(inputs))
        for row, source in enumerate(inputs["source"]):
            if np.array_equal(source, self._source[0]):
                found["output"] = np.array(found["output"])
                found["output"][row] = np.nan
        return found


def test_only_the_face_at_fault_is_left_to_be_covered(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.painter(), "hyperswap")
    parts = swappers(imported)
    parts[0].batch.engine = Bad(imported, parts[1].given["source"])  # type: ignore[union-attr]
    picture, swaps = render(parts, [(0, 0), (1, 1), (2, 2)])
    assert (swaps.done, swaps.bare) == ((1, 3), (2,))
    assert "not finite" in str(swaps.failure)
    x, y = (round(side) for side in PLACES[1])
    assert np.array_equal(picture[y - 60 : y + 60, x - 60 : x + 60], frame()[y - 60 : y + 60, x - 60 : x + 60])


def test_a_source_that_is_not_there_and_a_wild_mesh_leave_the_others_swapped(tmp_path: Path) -> None:
    imported = Imported(tmp_path, foreign.painter(), "hyperswap")
    _, swaps = render(swappers(imported), [(0, 0), (1, 7), (2, 2)])
    assert (swaps.done, swaps.bare) == ((1, 3), (2,))
    wild = dataclasses.replace(track(1), landmarks=np.full((468, 3), np.nan, np.float32))
    begun = HostRenderer(swappers(imported), canvas=HostCanvas, stamp=Stamp(None)).begin(frame())
    swaps = begun.swap(
        [(track(0), 0), (wild, 1), (track(2), 2)], quality=Quality(), now=0.0, stages=lambda name: nullcontext()
    )
    assert (swaps.done, swaps.bare) == ((1, 3), (2,))
