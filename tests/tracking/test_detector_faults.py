"""Networks of the detector that answer nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from people import person

from rtswap.core.errors import ModelError
from rtswap.core.types import Tensor
from rtswap.engines.openvino import OpenVinoEngine
from rtswap.networks.registry import Registry
from rtswap.tracking.detector import MtcnnDetector


@pytest.fixture(scope="module")
def networks() -> list[OpenVinoEngine]:
    registry = Registry()
    return [OpenVinoEngine(registry.path(name)) for name in ("pnet", "rnet", "onet")]


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_a_failure_not_an_empty_picture(
    networks: list[OpenVinoEngine], which: int, answer: float
) -> None:
    class Broken:
        name = "broken"

        def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            return {name: np.full_like(part, answer) for name, part in networks[which].run(inputs).items()}

    broken = [Broken() if number == which else network for number, network in enumerate(networks)]
    with pytest.raises(ModelError, match="not finite"):
        MtcnnDetector(*broken).detect(person("ada").portrait)


def test_one_answer_everywhere_is_a_failure(networks: list[OpenVinoEngine]) -> None:
    class Constant:
        name = "constant"

        def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            return {name: np.full_like(part, -9) for name, part in networks[0].run(inputs).items()}

    detector = MtcnnDetector(Constant(), *networks[1:])
    with pytest.raises(ModelError, match="everywhere"):
        detector.detect(person("ada").portrait)


def test_networks_are_the_ones_of_the_package(networks: list[OpenVinoEngine]) -> None:
    assert [engine.inputs[0].shape for engine in networks] == [
        (None, None, None, 3),
        (None, 24, 24, 3),
        (None, 48, 48, 3),
    ]
    assert Path(Registry().path("pnet")).is_file()
