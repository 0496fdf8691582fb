"""The program as on a GPU, with torch on the CPU, and the same program on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from people import face_models, move_person, person

torch = pytest.importorskip("torch", reason="torch is not installed")

from fake_networks import Generator as Mending  # noqa: E402
from gpu_waits import COPIES  # noqa: E402
from torch.utils._python_dispatch import _disable_current_modes  # noqa: E402

from rtswap.app.config import Config  # noqa: E402
from rtswap.app.networks import FaceModels, OpenEngines  # noqa: E402
from rtswap.app.program import Program  # noqa: E402
from rtswap.core.types import Frame, Image, Quality  # noqa: E402
from rtswap.disclosure import Badge, Disclosure  # noqa: E402
from rtswap.disclosure.watermark import Payload, Watermark  # noqa: E402
from rtswap.engines.torch.engine import TorchEngine  # noqa: E402
from rtswap.networks.registry import Registry  # noqa: E402
from rtswap.runtime.pipeline import Outcome, Pipeline  # noqa: E402
from rtswap.vision.talking_head import AnimatedHead, clip  # noqa: E402

SIZE = (320, 240)
FRAMES = 5
MASKS = "occlusion", "glasses"
"""The networks that find what is in front of a face."""


class Captured:
    """A network as a GPU runs it: from one graph, in which nothing can wait, whatever is in it."""

    name = "torch-cuda"

    def __init__(self, network: str) -> None:
        path = Registry(on_event=lambda text: None).path(network)
        self._engine = TorchEngine(path, threads=1, device="cpu")
        self.run = self._engine.run

    def run_on_device(self, inputs: Any) -> Any:
        """Run where ``forbid_waiting`` does not look."""
        with _disable_current_modes(), pytest.MonkeyPatch.context() as patch:
            for name, method in COPIES.items():
                patch.setattr(torch.Tensor, name, method)
            return self._engine.run_on_device(inputs)


@cache
def torch_models() -> FaceModels:
    """As if torch ran all networks on a GPU. Those with ways without waiting are the masks' and the generator's."""
    made = Mending(lift=0.1)
    return face_models()._replace(engine="torch-cuda", open=opener(cache(Captured), lambda name: made))


def opener(of_masks: Callable[[str], Any], of_refiner: Callable[[str], Any]) -> OpenEngines:
    """Networks by name, as ``FaceModels.open`` gives them."""
    return lambda names: {name: (of_masks if name in MASKS else of_refiner)(name) for name in names}


@cache
def frames(faces: int = 1) -> tuple[Image, ...]:
    """People who do not exist, talking."""
    who = [move_person(person(name), 0.35, (0.0, 0.0), (200, 200)) for name in ("ben", "carl")[:faces]]
    heads = [AnimatedHead(one.portrait, one.landmarks, 110 if faces == 1 else 80) for one in who]
    return tuple(clip(heads, SIZE, fps=30, frames=FRAMES))


def config_of(**wanted: Any) -> Config:
    config = Config()
    for part in ("swap", "mask", "tracking"):
        values = {key: value for key, value in wanted.items() if hasattr(getattr(config, part), key)}
        config = replace(config, **{part: replace(getattr(config, part), **values)})
    return config


def disclosure() -> Disclosure:
    return Disclosure(Badge(), Watermark(Payload((1, 0))))


def pipeline_of(config: Config, known: FaceModels, marks: Disclosure | None, told: list[str]) -> Pipeline:
    made = Program(config, on_event=told.append, models=known, sources=[person("ada")], disclosure=marks)
    return made.pipeline(live=False)


def run(config: Config, known: FaceModels, pictures: Sequence[Image]) -> list[tuple[Outcome, Image]]:
    """Return the marked pictures, frame by frame."""
    marks, told = disclosure(), []
    pipeline = pipeline_of(config, known, marks, told)
    found = []
    for index, picture in enumerate(pictures):
        frame = Frame(picture.copy(), index, 0.0, index / 30)
        outcome = pipeline.process(frame, Quality())
        assert outcome.stamped is not None
        marked = marks.release(outcome.stamped, frame=frame, swapped=outcome.swapped, stages={})
        found.append((outcome, marked.image))
    assert told == []
    return found


def apart(config: Config, faces: int = 1) -> list[np.ndarray]:
    """Differences between the host's pictures and the device's, frame by frame."""
    pictures = frames(faces)
    host = run(config, torch_models()._replace(engine="openvino"), pictures)
    device = run(config, torch_models(), pictures)
    assert [outcome.swapped for outcome, _ in device] == [outcome.swapped for outcome, _ in host] == [faces] * FRAMES
    return [np.abs(a.astype(int) - b) for (_, a), (_, b) in zip(host, device, strict=True)]
