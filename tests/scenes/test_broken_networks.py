"""Networks that break in the middle of a stream, or from the start: nobody leaves bare, nothing ends, it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from prepared_sources import ready  # noqa: F401
from staged_scenes import Pose, Scene, Shot, bareness, frames

from rtswap.app.config import Config
from rtswap.app.networks import Networks, base_networks, bind_models
from rtswap.app.program import Program
from rtswap.app.sections import EngineConfig
from rtswap.core.protocols import Engine
from rtswap.core.types import Frame, Quality, SourceIdentity, Tensor
from rtswap.disclosure import Disclosure

BARE = 0.6
FRAMES = 7


def boom(values: Tensor) -> Tensor:
    raise RuntimeError("the network broke")


FAULTS: dict[str, Callable[[Tensor], Tensor]] = {
    "raises": boom,
    "not a number": lambda values: np.full_like(values, np.nan),
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "another shape": lambda values: values[..., :-1],
}


class Broken:
    """Answers as ``engine`` does until ``since()``, then wrongly."""

    def __init__(self, engine: Engine, wrong: Callable[[Tensor], Tensor], since: Callable[[], bool]) -> None:
        self._engine, self._wrong, self._since = engine, wrong, since
        self.name = engine.name

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Tensor]:
        found = self._engine.run(inputs)
        if not self._since():
            return found
        return {name: self._wrong(np.array(values)) for name, values in found.items()}


CONFIG = replace(
    Config(),
    source=replace(Config().source, photos=("persona:vera",)),
    engine=EngineConfig(engine="openvino" if find_spec("openvino") else "onnxruntime"),
    safety=replace(Config().safety, empty_after_s=0.35),
)


@cache
def networks() -> Networks:
    return Networks(CONFIG, on_event=lambda text: None)


@cache
def source() -> SourceIdentity:
    return Program(CONFIG, on_event=lambda text: None, models=bind_models(networks(), CONFIG)).load(("persona:vera",))


@pytest.mark.parametrize(("fault", "begins"), [*((fault, 3) for fault in FAULTS), ("not a number", 0), ("zeros", 0)])
@pytest.mark.parametrize("network", base_networks(CONFIG))
def test_nobody_leaves_bare(network: str, fault: str, begins: int) -> None:
    shared, index = networks(), [-1]
    told: list[str] = []

    def engine_of(name: str) -> Engine:
        engine = shared.engines[name]
        return Broken(engine, FAULTS[fault], lambda: index[0] >= begins) if name == network else engine

    models = bind_models(shared, CONFIG, engine_of)
    program = Program(
        CONFIG, on_event=told.append, models=models, sources=[source()], disclosure=Disclosure(None, reason="a test")
    )
    pipeline = program.pipeline(live=False)
    scene = Scene("", (Shot((Pose("ada", (0.3, 0.5)), Pose("dan", (0.72, 0.5), 90))),) * FRAMES)
    for number, (picture, faces) in enumerate(frames(scene)):
        index[0], before = number, picture.copy()
        outcome = pipeline.process(Frame(picture, number, number / 10, number / 10), Quality())
        assert outcome.image is not None
        assert [face.who for face in faces if bareness(before, outcome.image, face) > BARE] == []
    assert sum("failed" in event for event in told) <= 2
