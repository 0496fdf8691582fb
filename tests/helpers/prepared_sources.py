"""For tests that run the program many times: its networks are opened once, and each photo is prepared once."""

from __future__ import annotations

from typing import Any

import pytest
from people import face_models

from rtswap.app import program
from rtswap.commands.inspect import rig
from rtswap.core.types import Image, Points
from rtswap.swappers.mesh.texture import Texture

bake = Texture.bake
_baked: dict[tuple[Any, ...], Texture] = {}


@pytest.fixture(autouse=True)
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second less for each run."""
    for module in (program, rig):
        monkeypatch.setattr(module, "open_models", lambda config, on_event: face_models())
    monkeypatch.setattr(Texture, "bake", staticmethod(bake_once))


def bake_once(portrait: Image, landmarks: Points, further: Any = (), *, skin: bool = True, **models: Any) -> Texture:
    """As ``Texture.bake``, once for the same photo and engines; several photos of a person every time."""
    engines = (getattr(model, "engine", None) for model in models.values())
    key = portrait.tobytes(), landmarks.tobytes(), skin, *engines
    if further or key not in _baked:
        _baked[key] = bake(portrait, landmarks, further, skin=skin, **models)
    return _baked.pop(key) if further else _baked[key]
