"""Load the face networks and the swapper's networks, on the engine chosen for this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from threading import RLock
from typing import NamedTuple

from rtswap.app.config import Config
from rtswap.app.sections import TrackingConfig
from rtswap.compositing.finishes import built_in_finishes
from rtswap.core.errors import NotInstalled
from rtswap.core.parts import BuildContext, FinishSpec, SwapperSpec
from rtswap.core.protocols import Detector, Embedder, Engine, IdentitySpaces, LandmarkModel
from rtswap.core.types import Image, SourceIdentity
from rtswap.engines.selection import Network, choose_engine, choose_engines
from rtswap.networks.arcface import ArcFaceEmbedder
from rtswap.networks.catalog import Entry, imported_models
from rtswap.networks.dlib_identity import DlibEmbedder
from rtswap.networks.glasses import GlassesModel
from rtswap.networks.heads import HeadModel
from rtswap.networks.installed_models import names_of
from rtswap.networks.landmarks import MeshLandmarks
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.occlusion import OcclusionModel
from rtswap.networks.recognition import FaceRecogniser
from rtswap.networks.registry import Registry, not_installed
from rtswap.source import load_source
from rtswap.tracking.detector import MtcnnDetector
from rtswap.tracking.imported_detector import ImportedDetector
from rtswap.vision.images import read_image

LANDMARK_PX = 128
MOST_THREADS = 4
"""For networks this small, more threads spend longer waiting for each other than computing."""
DETECTOR_PX = 640
"""Longest side of the picture that an imported detector is given of a frame."""
FRAME_PX, PHOTO_PX = 256, 1024
"""Longest side of P-Net's input, in which it finds faces of 12 px. Larger for photos, to find small faces."""
OpenEngines = Callable[[Iterable[str]], Mapping[str, Engine]]
"""Catalogue names -> their engines; loads missing ones together."""


class FaceModels(NamedTuple):
    """The models of one loop. Networks may be shared with other loops; the models' state is per loop."""

    detector: Detector
    """For frames."""
    still_detector: Detector
    """For pictures as the input: slower, but finds smaller faces."""
    photo_detector: Detector
    """For photos of sources: the same without ``--min-face`` and ``--thresholds``, which are about the input."""
    landmarks: LandmarkModel
    heads: HeadModel
    """The second detector's."""
    neighbours: HeadModel
    """The same around a followed face, which is painted out."""
    close_ups: HeadModel
    """The same for close-ups of what may be a head."""
    embedder: Callable[[], Embedder | None]
    """dlib's embedder from ``spaces``; None if its weights are not installed."""
    spaces: IdentitySpaces
    """Loaded once, on first use: dlib's takes 0.3 s and 80 MB."""
    open: OpenEngines
    """Loads more networks of the catalogue, such as the swapper's."""
    recogniser: Embedder | None = None
    """Recognises a person; None if not configured."""
    occlusion_model: OcclusionModel | None = None
    """Finds what covers a face; None if not configured."""
    glasses_model: GlassesModel | None = None
    """Finds glasses; None if not configured."""
    engine: str = ""
    """Name of the engine that runs them, for reports."""

    def load_source(
        self,
        paths: Sequence[Path],
        *,
        face_index: int | None = None,
        on_event: Callable[[str], None] = lambda event: None,
        read: Callable[[Path], Image] = read_image,
    ) -> SourceIdentity:
        """Load the person in the photos with these models, as ``source.load_source``."""
        return load_source(
            paths,
            detector=self.photo_detector,
            landmarks=self.landmarks,
            spaces=self.spaces,
            face_index=face_index,
            on_event=on_event,
            read=read,
        )


class Networks:
    """The networks of one process, each loaded once, on first use. Several loops may share them, in
    several threads if ``wrap`` makes engines for that."""

    def __init__(
        self,
        config: Config,
        *,
        on_event: Callable[[str], None],
        wrap: Callable[[Engine], Engine] = lambda engine: engine,
    ) -> None:
        """Load the networks that every loop of this configuration needs. ``wrap`` is applied to every engine. Raises
        ModelError, EngineError."""
        self._wrap, self._lock = wrap, RLock()
        self._config, self._on_event = config, on_event
        self._registry = Registry(on_event=on_event)
        self._threads = config.engine.threads or min(MOST_THREADS, os.cpu_count() or 1)
        self.engines: dict[str, Engine] = {}
        """Loaded engines by network name."""
        self.open(base_networks(config))
        spaces = {known.space: name for name, known in model_catalog().models.items() if known.space}
        self.spaces: IdentitySpaces = {
            "dlib": cache(self._dlib),
            "rtswap": self._recogniser,
            **{space: cache(partial(self._arcface, name)) for space, name in spaces.items()},
            **{f"{space}-raw": cache(partial(self._arcface, name, raw=True)) for space, name in spaces.items()},
        }
        """Functions that return an identity network, loaded on first use; they raise NotInstalled."""

    def open(self, names: Iterable[str]) -> Mapping[str, Engine]:
        """Return the engines of these networks; loads missing ones, with one choice of engine for all of them.
        Raises ModelError, EngineError."""
        with self._lock:
            return self._open(tuple(names))

    def _open(self, names: tuple[str, ...]) -> Mapping[str, Engine]:
        rows = [self._registry.entry(name) for name in names if name not in self.engines]
        missing = {row.name: self._network(row) for row in rows}
        if missing:
            opened = choose_engines(
                missing,
                threads=self._threads,
                engine=self._config.engine.engine,
                cache_dir=self._registry.folder,
                on_event=self._on_event,
            )
            self.engines |= {name: self._wrap(engine) for name, engine in opened.items()}
        return {name: self.engines[name] for name in names}

    def embedder(self) -> Embedder | None:
        """Return dlib's network; None if its weights are not installed."""
        try:
            return self.spaces["dlib"]()
        except NotInstalled:
            return None

    def _recogniser(self) -> Embedder:
        return FaceRecogniser(self.open(("recognition",))["recognition"])

    def _arcface(self, known: str, *, raw: bool = False) -> Embedder:
        """The user's copy of a known ArcFace."""
        entry = next((entry for entry in imported_models().values() if entry.known == known), None)
        if entry is None:
            raise not_installed(known)
        return ArcFaceEmbedder(self.open((entry.name,))[entry.name], entry, raw=raw)

    def _network(self, row: Entry) -> Network:
        path, content = self._registry.read(row.name)
        return Network(path, row.zeros(), row.per_frame, row.threads, content)

    def _dlib(self) -> Embedder:
        from rtswap.networks.dlib import weights_path

        weights_path()
        path, content = self._registry.read("dlib")
        engine = choose_engine(
            path,
            content=content,
            threads=self._threads,
            engine=self._config.engine.engine,
            cache_dir=self._registry.folder,
            sample=self._registry.entry("dlib").zeros(),
        )
        return DlibEmbedder(self._wrap(engine))


def open_models(
    config: Config, *, on_event: Callable[[str], None], wrap: Callable[[Engine], Engine] = lambda engine: engine
) -> FaceModels:
    """Return the models of one loop, on newly loaded networks. ``wrap`` is applied to every engine. Raises
    ModelError, EngineError."""
    networks = Networks(config, on_event=on_event)
    return bind_models(networks, config, lambda name: wrap(networks.open((name,))[name]))


def bind_models(networks: Networks, config: Config, engine_of: Callable[[str], Engine] | None = None) -> FaceModels:
    """Return new models for one thread on shared networks. ``engine_of``: network name -> engine to use instead."""
    networks.open(needed := base_networks(config))
    engines = {name: engine_of(name) if engine_of else networks.engines[name] for name in needed}

    def detector(max_side: int, tracking: TrackingConfig = config.tracking) -> Detector:
        if imported := imported_detector(config):
            sides = {FRAME_PX: DETECTOR_PX, PHOTO_PX: PHOTO_PX}
            return ImportedDetector(engines[imported.name], imported, max_side=sides[max_side])
        first, second, third = tracking.thresholds
        return MtcnnDetector(
            engines["pnet"],
            engines["rnet"],
            engines["onet"],
            min_face_px=tracking.min_face_px,
            thresholds=(first, second, third),
            max_side=max_side,
        )

    def open_more(names: Iterable[str]) -> Mapping[str, Engine]:
        opened = networks.open(names)
        return {name: engine_of(name) for name in opened} if engine_of else opened

    return FaceModels(
        detector(FRAME_PX),
        detector(PHOTO_PX),
        detector(PHOTO_PX, TrackingConfig()),
        MeshLandmarks(engines["landmarks"], LANDMARK_PX),
        HeadModel(engines["heads"]),
        HeadModel(engines["neighbours"]),
        HeadModel(engines["close_ups"]),
        networks.embedder,
        networks.spaces,
        open_more,
        recogniser=FaceRecogniser(engines["recognition"]) if "recognition" in engines else None,
        occlusion_model=OcclusionModel(engines["occlusion"]) if "occlusion" in engines else None,
        glasses_model=GlassesModel(engines["glasses"]) if "glasses" in engines else None,
        engine=networks.engines["landmarks"].name,
    )


def base_networks(config: Config) -> tuple[str, ...]:
    """Return the names of the networks that this configuration needs with any swapper. Raises NotInstalled."""
    detector = imported_detector(config)
    faces = [detector.name] if detector else ["pnet", "rnet", "onet"]
    names = [*faces, "landmarks", "heads", "neighbours", "close_ups"]
    if config.tracking.follow == "person":
        names.append("recognition")
    return (*names, *mask_networks(config))


def mask_networks(config: Config) -> tuple[str, ...]:
    """Return the names of the networks that find what is in front of a face, if a mask needs them."""
    return ("occlusion", "glasses") if {"skin", "occlusion"} & set(config.mask.masks) else ()


def part_networks(
    config: Config, swapper: SwapperSpec | None, finishes: Sequence[FinishSpec] = ()
) -> tuple[str, ...]:
    """Return the names of the networks of the swapper, of the finishes that the settings turn on and of these
    ``finishes``, and of what finds things in front of a face if a mask needs it. Raises NotInstalled."""
    settings = BuildContext(config.swap, config.mask, models=config.models)
    by_settings = [spec for spec in built_in_finishes() if spec.enabled is not None]
    theirs = [name for spec in (*by_settings, *finishes) if spec.networks for name in spec.networks(settings)]
    return (*(swapper.networks if swapper else ()), *mask_networks(config), *theirs)


def imported_detector(config: Config) -> Entry | None:
    """Return the user's best model of the family that ``--detector`` names; None for mtcnn. Raises NotInstalled."""
    family = config.models.detector
    if family == "mtcnn":
        return None
    names = names_of("detector", family)
    if not names:
        known = ", ".join(name for name, model in model_catalog().models.items() if model.family == family)
        raise NotInstalled(
            f"no {family} detector is installed",
            expected=f"a model such as {known}",
            do="Add your file: rtswap models add FILE",
        )
    return imported_models()[names[0]]
