"""The networks that see faces, and the one that makes them, each on the engine that was chosen for this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from rtswap.app.config import Config
from rtswap.core.errors import NotInstalled
from rtswap.core.protocols import Detector, Embedder, Engine, IdentitySpaces, LandmarkModel
from rtswap.core.types import Tensor
from rtswap.engines.choose import Network, choose_engine, choose_engines
from rtswap.networks.dlib_identity import SIDE as EMBEDDER_PX
from rtswap.networks.dlib_identity import DlibEmbedder
from rtswap.networks.landmarks import MeshLandmarks
from rtswap.networks.occlusion import SIZE as OCCLUSION_PX
from rtswap.networks.occlusion import OcclusionModel
from rtswap.networks.recognition import SIDE as RECOGNISER_PX
from rtswap.networks.recognition import FaceRecogniser
from rtswap.networks.registry import Registry
from rtswap.tracking.detector import MtcnnDetector

LANDMARK_PX = 128
MOST_THREADS = 4
"""More threads than this wait for each other longer than they work on networks this small."""

PER_FRAME = {
    "pnet": 0.02,
    "rnet": 0.02,
    "onet": 0.07,
    "landmarks": 1.0,
    "recognition": 0.04,
    "occlusion": 1.0,
    "refiner-128": 1.0,
    "refiner-256": 1.0,
    "refiner-source": 0.001,
}
"""How often each network runs while a face is followed: landmarks in every frame, O-Net in every 15th to check."""
ONE_THREAD = ("rnet", "onet", "landmarks", "recognition")
"""Too small for two: the landmarks take 2.6 ms on one thread and 3.9 on two that sleep in between (2 cores)."""
FRAME_PX, PHOTO_PX = 256, 1024
"""Longest side of what P-Net sees, where a face has 12 px. In photos small faces count, and time does not."""


class Generator(NamedTuple):
    encoder: Engine
    """Photo -> style."""
    generator: Engine
    """What each frame passes through."""
    size: int
    """Side of the crop that it sees."""


class FaceModels(NamedTuple):
    detector: Detector
    """For frames."""
    photo_detector: Detector
    """For photos: slower, and finds smaller faces."""
    landmarks: LandmarkModel
    embedder: Callable[[], Embedder | None]
    """dlib's of ``spaces``; None where it is not installed."""
    spaces: IdentitySpaces
    """Opened when asked for, once: dlib's takes 0.3 s and 80 MB."""
    generator: Callable[[str], Generator]
    """Loads it, for ``refiner-128`` or ``refiner-256``."""
    recogniser: Embedder | None = None
    """Knows a face again; None where nobody asked for it."""
    occlusion_model: OcclusionModel | None = None
    """Tells what hides a face; None where it is not asked for."""
    engine: str = ""
    """What runs them, for reports."""


class Networks(NamedTuple):
    """Loaded once; any number of Eyes can look through them, one after the other."""

    engines: Mapping[str, Engine]
    samples: Mapping[str, Mapping[str, Tensor]]
    """Network -> inputs as they come, of zeros."""
    generator: Callable[[str], Generator]
    spaces: IdentitySpaces


def open_models(
    config: Config, *, on_event: Callable[[str], None], wrap: Callable[[Engine], Engine] = lambda engine: engine
) -> FaceModels:
    """``wrap`` may put something around every engine. Raises ModelError, EngineError."""
    return bind_models(open_networks(config, on_event=on_event), config, wrap)


def open_networks(config: Config, *, on_event: Callable[[str], None]) -> Networks:
    """Those that this configuration needs. Raises ModelError, EngineError."""
    registry = Registry(on_event=on_event)
    threads = config.engine.threads or min(MOST_THREADS, os.cpu_count() or 1)
    samples = _samples(config)

    def choose(samples: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Engine]:
        networks = {
            name: Network(registry.path(name), sample, PER_FRAME[name], 1 if name in ONE_THREAD else MOST_THREADS)
            for name, sample in samples.items()
        }
        return choose_engines(
            networks, threads=threads, engine=config.engine.engine, cache_dir=registry.folder, on_event=on_event
        )

    @cache
    def dlib() -> Embedder:
        from rtswap.networks.dlib import weights_path

        weights_path()
        sample = {"image": np.zeros((1, EMBEDDER_PX, EMBEDDER_PX, 3), np.uint8)}
        path = registry.path("dlib")
        return DlibEmbedder(
            choose_engine(
                path, threads=threads, engine=config.engine.engine, cache_dir=registry.folder, sample=sample
            )
        )

    def generator(name: str) -> Generator:
        from rtswap.swappers.refiner.swapper import ENCODER, SIZES, samples

        made = choose(samples(name))
        return Generator(made[ENCODER], made[name], SIZES[name])

    return Networks(choose(samples), samples, generator, {"dlib": dlib})


def bind_models(
    networks: Networks, config: Config, wrap: Callable[[Engine], Engine] = lambda engine: engine
) -> FaceModels:
    """New Eyes, for one thread, on networks that are there. ``wrap`` may put something around every engine."""
    engines = {name: wrap(engine) for name, engine in networks.engines.items()}
    tracking = config.tracking

    def detector(max_side: int) -> Detector:
        return MtcnnDetector(
            engines["pnet"],
            engines["rnet"],
            engines["onet"],
            min_face_px=tracking.min_face_px,
            thresholds=_three(tracking.thresholds),
            max_side=max_side,
        )

    def embedder() -> Embedder | None:
        try:
            return networks.spaces["dlib"]()
        except NotInstalled:
            return None

    def generator(name: str) -> Generator:
        made = networks.generator(name)
        return Generator(wrap(made.encoder), wrap(made.generator), made.size)

    return FaceModels(
        detector(FRAME_PX),
        detector(PHOTO_PX),
        MeshLandmarks(engines["landmarks"], LANDMARK_PX),
        embedder,
        networks.spaces,
        generator,
        recogniser=FaceRecogniser(engines["recognition"]) if "recognition" in engines else None,
        occlusion_model=OcclusionModel(engines["occlusion"]) if "occlusion" in engines else None,
        engine=networks.engines["landmarks"].name,
    )


def _samples(config: Config) -> dict[str, Mapping[str, Tensor]]:
    """Network -> inputs as they come, of those that are needed."""
    samples: dict[str, Mapping[str, Tensor]] = {
        "pnet": {"image": np.zeros((1, 160, 160, 3), np.uint8)},
        "rnet": {"image": np.zeros((8, 24, 24, 3), np.uint8)},
        "onet": {"image": np.zeros((2, 48, 48, 3), np.uint8)},
        "landmarks": {"crops": np.zeros((1, LANDMARK_PX, LANDMARK_PX, 3), np.uint8)},
    }
    if config.tracking.follow == "person":
        samples["recognition"] = {"crops": np.zeros((1, RECOGNISER_PX, RECOGNISER_PX, 3), np.uint8)}
    if {"skin", "occlusion"} & set(config.mask.masks):
        samples["occlusion"] = {
            "crops": np.zeros((1, OCCLUSION_PX, OCCLUSION_PX, 3), np.uint8),
            "guides": np.zeros((1, OCCLUSION_PX, OCCLUSION_PX), np.uint8),
        }
    return samples


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
