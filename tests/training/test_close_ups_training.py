"""The training of the network that looks closely: it begins where the narrow one ended."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from test_neighbours_training import people  # noqa: E402

from rtswap.networks.registry import Registry  # noqa: E402
from rtswap.tracking.neighbours import SIDE  # noqa: E402
from rtswap.training.onnx_files import load_weights  # noqa: E402
from training.close_ups import recipe  # noqa: E402
from training.close_ups.recipe import WideHeadNetwork, widen  # noqa: E402
from training.close_ups.samples import CloseSampler, CloseUps  # noqa: E402
from training.heads.network import Deployed, HeadNetwork  # noqa: E402
from training.heads.samples import MAY, SHALL  # noqa: E402


def test_a_widened_network_answers_as_the_narrow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "NOISE", 0.0)
    narrow = load_weights(Registry().path("neighbours"), Deployed(HeadNetwork()))
    wide = WideHeadNetwork()
    widen(narrow.network, wide)
    picture = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.no_grad():
        for ours, theirs in zip(Deployed(wide).eval()(picture), narrow(picture), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_what_was_learnt_can_be_gone_on_from() -> None:
    load_weights(Registry().path("close_ups"), Deployed(WideHeadNetwork()))


def test_close_ups_show_heads_and_what_is_beside_them() -> None:
    detectors = tuple(Registry().path(name) for name in ("heads", "neighbours"))
    source = CloseUps(*people(), 1, detectors)
    pictures, heads = next(CloseSampler(source, 3).batches(40, again=1, keep=40))
    assert pictures.shape == (40, SIDE, SIDE, 3)
    kinds = heads[..., 3]
    assert set(np.unique(kinds)) <= {0.0, MAY, SHALL}
    with_heads = (kinds == SHALL).any(1)
    assert 5 < with_heads.sum() < 40
    near = np.hypot(*(heads[..., :2] - SIDE / 2).transpose(2, 0, 1)) < SIDE / 4
    assert (near & (kinds == SHALL)).any(1).sum() > 3, "some are in the middle"
