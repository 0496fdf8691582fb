"""What a part says of itself, once, in its ``SPEC``: the command line, ``--help``, the configuration, ``doctor``,
``bench`` and ``eval`` learn of it from there.

A part of rtswap's own is a module or folder of the room of its kind (``swappers/``, ``compositing/finishes/``,
``media/inputs/``, ``media/outputs/``). A part of another package is named by an entry point of the group
``rtswap.swappers``, ``rtswap.finishes``, ``rtswap.inputs`` or ``rtswap.outputs`` whose value is its ``SPEC``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # a SPEC is read for the help, which must come at once
    from rtswap.core.protocols import Engine, Finish, GpuFinish, Input, Output, SwapModel

Event = Callable[[str], None]
Stage = Literal["mask", "color", "detail", "seam"]
"""In the order in which finishes depend on each other: where the swap shows, its colours there, its sharpness, its
seam."""


class SwapSettings(Protocol):
    """The section ``swap`` of the configuration, as parts read it (``app.config.SwapConfig``)."""

    @property
    def expression(self) -> float: ...
    @property
    def strength(self) -> float: ...
    @property
    def delight(self) -> bool: ...
    @property
    def color(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def blend(self) -> str: ...


class MaskSettings(Protocol):
    """The section ``mask`` of the configuration, as parts read it (``app.config.MaskConfig``)."""

    @property
    def masks(self) -> tuple[str, ...]: ...
    @property
    def parts(self) -> tuple[str, ...]: ...
    @property
    def keep(self) -> tuple[str, ...]: ...
    @property
    def partial(self) -> bool:
        """Whether the user wants parts of the target's own face to show."""
        ...


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a swapper or a finish is built from."""

    swap: SwapSettings
    mask: MaskSettings
    engines: Mapping[str, Engine] = field(default_factory=dict)
    """The networks that are open, by their names in the catalogue: those the masks need, and those the part asked for
    in ``SwapperSpec.networks``."""
    live: bool = True
    """Frames come whether there is time or not."""
    device: str = "cuda"
    """torch's name of the GPU, for ``build_gpu``."""


@dataclass(frozen=True, slots=True)
class SwapperSpec:
    """A swapping method."""

    name: str
    """As it is typed after ``--swapper``."""
    help: str
    build: Callable[[BuildContext], SwapModel]
    """The method in host memory: its ``bind`` gives a ``protocols.Swapper``."""
    build_gpu: Callable[[BuildContext], SwapModel] | None = None
    """The method on a GPU: its ``bind`` gives a ``protocols.GpuSwapper``. None: there is none, so frames stay in host
    memory, and the user is told why."""
    networks: tuple[str, ...] = ()
    """Networks of the catalogue that are opened for it, together."""
    aliases: tuple[str, ...] = ()
    """Earlier names, still understood."""


def _always(_: BuildContext) -> bool:
    return True


def _never(_: BuildContext) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class FinishSpec:
    """A step between swap and paste."""

    name: str
    """As it is typed after ``--finish``."""
    help: str
    stage: Stage
    build: Callable[[BuildContext], Finish]
    build_gpu: Callable[[BuildContext], GpuFinish] | None = None
    """None: there is none, so frames stay in host memory while it is on, and the user is told why."""
    enabled: Callable[[BuildContext], bool] | None = None
    """Whether the settings turn it on. None: ``--finish NAME`` does."""
    flag: Callable[[BuildContext], str] | None = None
    """How the user turned it on, for messages: ``--color idt``. None: ``--finish NAME``."""
    gpu_serves: Callable[[BuildContext], bool] = _always
    """Whether ``build_gpu`` can do what the settings ask for."""
    slow: Callable[[BuildContext], bool] = _never
    """Whether it takes more than 10 ms per face: too long for a live picture."""

    def words(self, context: BuildContext) -> str:
        """How it was turned on."""
        return self.flag(context) if self.flag else f"--finish {self.name}"


@dataclass(frozen=True, slots=True)
class InputRequest:
    """What is asked of an input beside its address."""

    size: tuple[int, int] = (1280, 720)
    """(width, height) asked of a camera."""
    fps: float = 30.0
    """Frames per second asked of a camera."""
    hwaccel: str = "none"
    """Decode video files on a GPU: none, auto or cuda."""
    tls_ca: str | None = None
    """A file of certificates to trust instead of this computer's."""
    on_event: Event = lambda event: None


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A kind of address that frames come from."""

    name: str
    help: str
    """The addresses it takes, as a user types them: ``camera number``."""
    takes: Callable[[str], bool]
    """Whether an address is one of its."""
    open: Callable[[str, InputRequest], Input]
    """Raises InputError."""


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """What is asked of an output beside its address."""

    fps: float = 30.0
    codec: str = "h264"
    """Of files and streams, by FFmpeg's name."""
    audio_from: str | None = None
    """The file whose sound goes along."""
    overwrite: bool = False
    live: bool = False
    tls_ca: str | None = None
    """A file of certificates to trust instead of this computer's."""
    sign: Callable[[Path], None] | None = None
    """Called with each finished file."""
    on_event: Event = lambda event: None
    on_key: Callable[[str], None] = lambda key: None
    """Called with each key pressed in a window."""
    overlay: Callable[[], Sequence[str]] | None = None
    """Lines that a window draws over its picture."""


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """A kind of address that finished pictures go to."""

    name: str
    help: str
    """The addresses it takes, as a user types them: ``vcam[:name]``."""
    takes: Callable[[str], bool]
    """Whether an address is one of its."""
    open: Callable[[str, OutputRequest], Output]
    """Raises OutputError, UsageError."""
