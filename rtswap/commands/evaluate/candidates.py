"""Contenders of an evaluation: a swapper of the program, a function on pictures, or another program's results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels
from rtswap.app.probes import Probes
from rtswap.app.program import Program
from rtswap.commands.evaluate.clips import Clip, Swap, ignore, swap_with
from rtswap.commands.evaluate.faces import Face
from rtswap.commands.evaluate.pixels import guess_mask
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.errors import InputError
from rtswap.core.protocols import Canvas, Renderer, SwapModel
from rtswap.core.types import Image, Mask, Matrix, Quality, SourceIdentity, Track
from rtswap.disclosure import Disclosure
from rtswap.runtime.metrics import Spans
from rtswap.vision.geometry import box_of, keypoints_of
from rtswap.vision.images import read_image

TRACK = 1


@dataclass(frozen=True)
class Result:
    """A target after the swap."""

    image: Image
    """Same size as the target's image."""
    mask: Mask
    """Same size; 255 = replaced."""


class Bound(Protocol):
    """A contender bound to a source."""

    def swap(self, target: Face) -> Result:
        """Swap one target without state from earlier calls. Raises RtswapError if there is no result."""
        ...

    def work(self, target: Face, time_s: float) -> object:
        """Do the work of the loop for one face at ``time_s``, for timing."""
        ...

    def film(self, clip: Clip) -> Swap | None:
        """Return the swapped clip; None if clips are not supported."""
        ...


class Candidate(Protocol):
    """A way of swapping faces."""

    @property
    def name(self) -> str:
        """Name in the table and on the sheet."""
        ...

    @property
    def timed(self) -> bool:
        """Whether ``work`` computes the swap, so that its time is meaningful."""
        ...

    def bind(self, source: Face) -> Bound:
        """Bind the contender to a source. Raises RtswapError for an unusable source."""
        ...


class ProgramSwapper:
    """A swapper of the program with the finishes and checks of ``config``. ``model`` replaces the configured
    swapper."""

    timed = True

    def __init__(
        self,
        config: Config,
        models: FaceModels,
        *,
        model: SwapModel | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or config.swap.swapper
        self._config, self._models, self._model = config, models, model

    def bind(self, source: Face) -> Bound:
        """Load the source from the complete photo, like the program."""
        loaded = self._models.load_source([source.path])
        return _BoundSwapper(self._config, self._models, loaded, self._model)


class _BoundSwapper:
    def __init__(self, config: Config, models: FaceModels, source: SourceIdentity, model: SwapModel | None) -> None:
        self._pastes: list[tuple[Mask, Matrix]] = []
        probes = Probes(canvas=lambda canvas: PasteProbe(canvas, self._pastes))
        self._program = Program(
            config,
            on_event=ignore,
            models=models,
            sources=[source],
            swapper=model,
            probes=probes,
            disclosure=Disclosure(None, reason="it is measured; what the sheet shows of it is marked"),
        )
        self._still, self._live = (self._program.renderer(live=live) for live in (False, True))

    def swap(self, target: Face) -> Result:
        image = self._swap(target, self._still, 0.0)
        self._still.forget(TRACK)
        laid = HostCanvas(np.zeros_like(target.image))
        for mask, matrix in self._pastes:
            laid.paste(np.full((*mask.shape, 3), 255, np.uint8), mask, matrix)
        return Result(image, np.ascontiguousarray(laid.image()[..., 0]))

    def work(self, target: Face, time_s: float) -> Image:
        return self._swap(target, self._live, time_s)

    def _swap(self, target: Face, renderer: Renderer, time_s: float) -> Image:
        self._pastes.clear()
        points = target.mesh.points
        track = Track(TRACK, box_of(points), keypoints_of(points), points, target.mesh.visibility, 1.0)
        render = renderer.begin(target.image.copy())
        swaps = render.swap([(track, 0)], quality=Quality(), now=time_s, stages=Spans())
        if not swaps.done:
            raise InputError(
                "the face would be covered, not swapped", got=str(swaps.failure or "too much of it is hidden")
            )
        render.paste()
        return render.deliver().image

    def film(self, clip: Clip) -> Swap | None:
        return swap_with(clip, self._program)


class PasteProbe:
    """A canvas that records the masks and matrices of all pastes."""

    def __init__(self, canvas: Canvas, pastes: list[tuple[Mask, Matrix]]) -> None:
        self._pastes = pastes
        self.crop, self.cover, self.image = canvas.crop, canvas.cover, canvas.image
        self._paste = canvas.paste

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """See ``protocols.Canvas``."""
        self._pastes.append((mask, matrix))
        self._paste(crop, mask, matrix)


class PictureFunction:
    """A function ``(source photo, target photo) -> swapped target photo``, BGR uint8, same size as the target."""

    timed = True

    def __init__(self, name: str, function: Callable[[Image, Image], Image]) -> None:
        self.name, self._function = name, function

    def bind(self, source: Face) -> Bound:
        """Bind to a source. The function gets the photos cropped around the face."""
        return _BoundPictures(lambda target: self._function(source.image, target.image))


class ResultFolder:
    """Results of another program: ``SOURCE__TARGET.png`` in a folder, same size as the target's photo."""

    timed = False

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self.name, self._folder = name or folder.name or str(folder), folder

    def bind(self, source: Face) -> Bound:
        """Bind to a source. A missing result raises InputError later, in ``swap``."""
        return _BoundPictures(lambda target: self._read(source, target))

    def _read(self, source: Face, target: Face) -> Image:
        stem = f"{source.name}__{target.name}"
        found = sorted(path for path in self._folder.glob("*.*") if path.stem == stem)
        if not found:
            raise InputError(f"no {stem}.png found in {self._folder}")
        image = read_image(found[0])
        if image.shape[1::-1] != target.photo_size:
            width, height = target.photo_size
            raise InputError(
                f"{found[0].name} has a different size from its target",
                expected=f"{width}x{height}",
                got=f"{image.shape[1]}x{image.shape[0]}",
            )
        return target.cut(image)


class _BoundPictures:
    def __init__(self, make: Callable[[Face], Image]) -> None:
        self._make = make

    def swap(self, target: Face) -> Result:
        image = self._make(target)
        if image.shape != target.image.shape or image.dtype != np.uint8:
            raise InputError(
                f"the swap of {target.name} is not a picture of the target's size",
                expected=f"uint8 {target.image.shape}",
                got=f"{image.dtype} {image.shape}",
            )
        return Result(image, guess_mask(target.image, image))

    def work(self, target: Face, time_s: float) -> Image:
        return self._make(target)

    def film(self, clip: Clip) -> Swap | None:
        return None
