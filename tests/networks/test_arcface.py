"""ArcFace is shown the crop of its template in RGB -1..1, and fills the space that imported swappers ask for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import foreign_models as foreign
import numpy as np
import pytest
from imported_swappers import ENGINES, Counted
from people import person

from rtswap.app.config import Config
from rtswap.app.networks import Networks
from rtswap.app.sections import EngineConfig
from rtswap.core.errors import ModelError, NotInstalled, SourceError
from rtswap.networks.arcface import ArcFaceEmbedder
from rtswap.networks.catalog import imported_models
from rtswap.networks.model_store import add
from rtswap.vision.geometry import keypoints_of, transform
from rtswap.vision.templates import ARCFACE_112, placement

pytestmark = pytest.mark.usefixtures("models")


def install(folder: Path, **files: bytes) -> None:
    for path in foreign.write(folder, **files).values():
        add(path)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_crop_is_aligned_and_normalised_and_the_vector_has_unit_length(tmp_path: Path, engine: str) -> None:
    install(tmp_path, w600k_r50=foreign.arcface())
    entry, who = imported_models()["w600k_r50"], person("ada")
    counted = Counted(ENGINES[engine](foreign.arcface()))
    keypoints = keypoints_of(who.landmarks)
    vector = ArcFaceEmbedder(counted, entry).embed(who.portrait, keypoints)
    raw = ArcFaceEmbedder(counted, entry, raw=True).embed(who.portrait, keypoints)
    shown = counted.inputs[0]["input.1"]
    assert shown.shape == (1, 3, 112, 112)
    assert -1 <= shown.min() < -0.3 < 0.3 < shown.max() <= 1
    at = transform(placement(keypoints, "arcface", 112), keypoints)
    assert np.abs(at - ARCFACE_112)[[0, 1, 3, 4]].max() < 6
    # skin is redder than it is blue: red is the first plane
    assert shown[0, 0].mean() > shown[0, 2].mean() + 0.05
    assert abs(np.linalg.norm(vector) - 1) < 1e-5
    assert np.allclose(raw / np.linalg.norm(raw), vector, atol=1e-6)
    cells = shown[0].reshape(3, 14, 8, 16, 7).mean((2, 4)).ravel()[:512] * 3
    assert np.allclose(raw, cells, atol=1e-4)


def test_invalid_faces_and_invalid_outputs_are_errors(tmp_path: Path) -> None:
    install(tmp_path, w600k_r50=foreign.arcface())
    entry, who = imported_models()["w600k_r50"], person("ada")
    counted = Counted(ENGINES["onnxruntime"](foreign.arcface()))
    with pytest.raises(SourceError, match="coincide"):
        ArcFaceEmbedder(counted, entry).embed(who.portrait, np.zeros((5, 2), np.float32))
    counted.run = lambda inputs: {"683": np.zeros((1, 512), np.float32)}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="returns invalid values"):
        ArcFaceEmbedder(counted, entry).embed(who.portrait, keypoints_of(who.landmarks))


def test_the_spaces_are_filled_by_the_users_own_files(tmp_path: Path) -> None:
    config = dataclasses.replace(Config(), engine=EngineConfig(engine="onnxruntime"))
    networks = Networks(config, on_event=lambda event: None)
    assert {"dlib", "arcface", "arcface-raw", "arcface-mbf"} <= set(networks.spaces)
    with pytest.raises(NotInstalled, match=r"w600k_r50.*is not installed\. Add your file.*models pull w600k_r50"):
        networks.spaces["arcface"]()
    with pytest.raises(NotInstalled, match="models pull buffalo_s"):
        networks.spaces["arcface-mbf"]()
    install(tmp_path, w600k_r50=foreign.arcface(), w600k_mbf=foreign.arcface(name="input.2"))
    networks = Networks(config, on_event=lambda event: None)
    who = person("ada")
    keypoints = keypoints_of(who.landmarks)
    unit, raw = (networks.spaces[space]().embed(who.portrait, keypoints) for space in ("arcface", "arcface-raw"))
    assert abs(np.linalg.norm(unit) - 1) < 1e-5 < abs(np.linalg.norm(raw) - 1)
    assert networks.spaces["arcface"]() is networks.spaces["arcface"]()
    assert networks.spaces["arcface-mbf"]().embed(who.portrait, keypoints).shape == (512,)
