"""``rtswap bench --streams`` on a GPU (torch on the CPU instead): frames stay on the device, and networks are
shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.app.config import Config  # noqa: E402
from rtswap.app.networks import Networks, bind_models  # noqa: E402
from rtswap.app.program import Program  # noqa: E402
from rtswap.commands.bench import streams as streams_module  # noqa: E402
from rtswap.commands.bench.rig import People  # noqa: E402
from rtswap.commands.bench.sharing import Pool  # noqa: E402
from rtswap.commands.bench.streams import Run  # noqa: E402
from rtswap.compositing.renderer_gpu import GpuRenderer  # noqa: E402
from rtswap.core.types import Tensor  # noqa: E402
from rtswap.engines.torch.engine import TorchEngine  # noqa: E402
from rtswap.gpu import card  # noqa: E402
from rtswap.networks.registry import Registry  # noqa: E402


class Pretended:
    """A network in torch, as if on a GPU. Counts how it was asked."""

    name = "torch-cuda"

    def __init__(self, network: str) -> None:
        self._engine = TorchEngine(Registry(on_event=lambda text: None).path(network), threads=1, device="cpu")
        self.host = self.device = 0

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.host += 1
        return self._engine.run(inputs)

    def run_on_device(self, inputs: Mapping[str, Any], *, own: bool = False) -> Mapping[str, Any]:
        assert own, "the next stream's run would overwrite it"
        self.device += 1
        return self._engine.run_on_device(inputs, own=own)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Networks:
    torch.set_num_threads(1)
    monkeypatch.setattr(card, "DEVICE", "cpu")
    monkeypatch.setattr(streams_module, "SIZE", (320, 240))
    monkeypatch.setattr(streams_module, "FACE_PX", 110)
    monkeypatch.setattr(streams_module, "WARM_UP_S", 0.2)
    found = Networks(Config(), on_event=lambda text: None)
    found.engines |= {name: Pretended(name) for name in ("landmarks", "occlusion", "glasses")}
    return found


def test_frames_of_every_stream_stay_on_the_gpu(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def watched(self: Program, *, live: bool) -> Any:
        made.append(renderer(self, live=live))
        return made[-1]

    renderer = Program.renderer
    monkeypatch.setattr(Program, "renderer", watched)
    people = People(bind_models(networks, Config()))
    pool = Pool(networks, Config())
    found = Run(Config(), people, pool, 2, seconds=2.0).measure()
    assert [type(renderer) for renderer in made] == [GpuRenderer] * 2
    assert [one["faces_per_frame"] for one in found["each"]] == [1.0, 1.0]
    assert all(one["frames"] > 0 for one in found["each"])
    landmarks, occlusion = networks.engines["landmarks"], networks.engines["occlusion"]
    assert landmarks.host > 0  # type: ignore[attr-defined]
    assert occlusion.device > 0  # type: ignore[attr-defined]
