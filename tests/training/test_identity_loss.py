"""The identity loss of one-shot systems: one pattern that fools the recogniser does not satisfy it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from torch import Tensor

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.networks.landmarks import place
from rtswap.training import identity
from rtswap.training.identity import IdentityLoss, Recogniser
from rtswap.training.layers import to_input
from rtswap.training.losses import unlike
from rtswap.training.recogniser import SIZE
from rtswap.vision.resample import blurred, warped
from rtswap.vision.talking_head import persona

DRAWS = 8


@cache
def loss() -> IdentityLoss:
    return IdentityLoss(Recogniser())


@cache
def face(name: str) -> Tensor:
    """(1, 3, 96, 96) a persona's face as the recogniser is shown it."""
    models = open_models(Config(), on_event=lambda _: None)
    picture = persona(name)
    found = max(models.photo_detector.detect(picture), key=lambda one: one.score)
    matrix = place(models.landmarks.find(picture, [found.keypoints])[0].points, SIZE)
    assert matrix is not None
    return to_input(torch.from_numpy(warped(picture, matrix, (SIZE, SIZE)))[None])


def matrices(count: int = 1) -> Tensor:
    return torch.eye(2, 3).repeat(count, 1, 1)


def who(picture: Tensor) -> Tensor:
    with torch.no_grad():
        return loss().recogniser(picture, matrices())


def mean_loss(picture: Tensor, embedding: Tensor, reference: Tensor | None = None) -> float:
    torch.manual_seed(0)
    with torch.no_grad():
        several = [picture.expand(DRAWS, -1, -1, -1), matrices(DRAWS), embedding.expand(DRAWS, -1)]
        return float(loss()(*several, None if reference is None else reference.expand(DRAWS, -1, -1, -1)))


def fooling(picture: Tensor, embedding: Tensor) -> Tensor:
    """``picture`` with a pattern that one fixed view of the recogniser takes for the face of ``embedding``."""
    pattern = torch.zeros_like(picture, requires_grad=True)
    optimiser = torch.optim.Adam([pattern], 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        unlike(loss().recogniser((picture + pattern).clamp(-1, 1), matrices()), embedding).backward()
        optimiser.step()
    return (picture + pattern.detach().clamp(-0.15, 0.15)).clamp(-1, 1)


def test_a_pattern_that_fools_one_view_is_told_from_the_person() -> None:
    """To one fixed view the pattern is Ada, to many views less so, and beside a reference not at all."""
    ada, ben = face("ada"), face("ben")
    wanted = who(ada)
    painted = fooling(ben, wanted)
    assert float(unlike(who(painted), wanted)) < 0.2
    soft = to_input(torch.from_numpy(blurred(np.uint8((ada[0].permute(1, 2, 0).numpy() + 1) * 127.5), 1.0))[None])
    assert mean_loss(painted, wanted) > mean_loss(soft, wanted) + 0.1
    assert mean_loss(painted, wanted, ada) > 5 * mean_loss(soft, wanted, ada)


def test_the_reference_is_nearest_to_itself() -> None:
    ada, ben = face("ada"), face("ben")
    assert mean_loss(ada, who(ada), ada) == pytest.approx(mean_loss(ada, who(ada)), abs=0.05)
    assert mean_loss(ben, who(ada), ada) > mean_loss(ben, who(ada)) + 0.1


def test_without_variation_it_is_one_minus_the_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHIFT_PX", "TURN", "ZOOM", "TONE", "CURVE", "NOISE", "BLUR_PX"):
        monkeypatch.setattr(identity, name, 1e-4)
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.zeros(size))
    found = loss()(face("ben"), matrices(), who(face("ada")))
    assert float(found) == pytest.approx(float(unlike(who(face("ben")), who(face("ada")))), abs=0.01)


def test_the_picture_learns_and_the_recogniser_does_not() -> None:
    ben = face("ben").clone().requires_grad_()
    loss()(ben, matrices(), who(face("ada")), face("ada")).backward()
    assert ben.grad is not None
    assert (ben.grad.abs().amax((0, 1))[16:-16, 16:-16] > 0).float().mean() > 0.9
    assert not any(part.requires_grad for part in loss().parameters())


def test_a_seed_gives_the_same_views_and_each_step_others() -> None:
    given = face("ben"), matrices(), who(face("ada")), face("ada")
    torch.manual_seed(3)
    first, second = float(loss()(*given)), float(loss()(*given))
    torch.manual_seed(3)
    assert float(loss()(*given)) == first != second
