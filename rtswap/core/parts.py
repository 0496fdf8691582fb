"""The ``SPEC`` of a swapper, finish, input or output: the command line, ``--help``, the configuration, ``doctor``,
``bench`` and ``eval`` all read it.

A built-in part is a module or folder in the package of its kind (``swappers/``, ``compositing/finishes/``,
``media/inputs/``, ``media/outputs/``). A plugin from another package is an entry point of the group
``rtswap.swappers``, ``rtswap.finishes``, ``rtswap.inputs`` or ``rtswap.outputs`` whose value is its ``SPEC``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # --help reads every SPEC and must be fast
    from rtswap.core.protocols import Engine, Finish, GpuFinish, Input, Output, SwapModel

Event = Callable[[str], None]
Stage = Literal["mask", "color", "detail", "seam"]
"""The order in which finishes run: visible region, colour, sharpness, seam."""


class SwapSettings(Protocol):
    """The section ``swap`` of the configuration, as parts read it (``app.config.SwapConfig``)."""

    @property
    def expression(self) -> float: ...
    @property
    def strength(self) -> float: ...
    @property
    def color(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def blend(self) -> str: ...


class ModelSettings(Protocol):
    """The section ``models`` of the configuration, as parts read it (``app.model_section.ModelsConfig``)."""

    @property
    def boost(self) -> int:
        """Times the network's resolution at which an imported swapper works."""
        ...

    @property
    def morph(self) -> float:
        """How far a DFM's shape goes towards its own face, 0..1."""
        ...

    @property
    def coverage(self) -> float:
        """Side of an imported model's swap, as a share of the face's outline."""
        ...

    @property
    def enhance(self) -> str:
        """The enhancer's name, or none."""
        ...

    @property
    def enhance_weight(self) -> float: ...
    @property
    def enhance_blend(self) -> float: ...
    @property
    def enhance_every(self) -> int: ...


class _NoModels:
    """The defaults: no imported model does anything."""

    boost, morph, coverage, enhance, enhance_weight, enhance_blend, enhance_every = 1, 0.75, 0.95, "none", 0.5, 0.8, 1


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
        """Whether the user requested parts of the target's own face to stay visible."""
        ...


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Settings and engines for building a swapper or a finish."""

    swap: SwapSettings
    mask: MaskSettings
    engines: Mapping[str, Engine] = field(default_factory=dict)
    """Loaded networks by their names in the catalogue: those the masks need, and those listed in
    ``SwapperSpec.networks``."""
    models: ModelSettings = field(default_factory=_NoModels)
    live: bool = True
    """Whether the input is live, so that slow processing drops frames."""
    device: str = "cuda"
    """torch device name of the GPU, for ``build_gpu``."""


@dataclass(frozen=True, slots=True)
class SwapperSpec:
    """A swapping method."""

    name: str
    """The value of ``--swapper``."""
    help: str
    build: Callable[[BuildContext], SwapModel]
    """The CPU implementation: its ``bind`` returns a ``protocols.Swapper``."""
    build_gpu: Callable[[BuildContext], SwapModel] | None = None
    """The GPU implementation: its ``bind`` returns a ``protocols.GpuSwapper``. None: no GPU implementation; frames
    stay in host memory and an event reports why."""
    networks: tuple[str, ...] = ()
    """Networks of the catalogue to load for it, all on one engine. A plugin can add its own
    (``core.network_rows``)."""
    aliases: tuple[str, ...] = ()
    """Deprecated names that still work."""
    needs_source: bool = True
    """False: the face is in the network's weights, and no photo is needed."""


@dataclass(frozen=True, slots=True)
class FinishSpec:
    """A step between swap and paste."""

    name: str
    """The value of ``--finish``."""
    help: str
    stage: Stage
    build: Callable[[BuildContext], Finish]
    build_gpu: Callable[[BuildContext], GpuFinish] | None = None
    """None: no GPU implementation; frames stay in host memory while it is on, and an event reports why."""
    enabled: Callable[[BuildContext], bool] | None = None
    """Whether the settings turn it on. None: ``--finish NAME`` turns it on."""
    flag: Callable[[BuildContext], str] | None = None
    """The flag that turned it on, for messages: ``--color idt``. None: ``--finish NAME``."""
    gpu_serves: Callable[[BuildContext], bool] = lambda context: True
    """Whether ``build_gpu`` supports the settings."""
    slow: Callable[[BuildContext], bool] = lambda context: False
    """Whether it takes more than 10 ms per face, which is too slow for live video."""
    networks: Callable[[BuildContext], tuple[str, ...]] | None = None
    """The networks and imported models that the settings make it use; the context has no engines yet. Raises
    NotInstalled."""

    def words(self, context: BuildContext) -> str:
        """Return the flag that turned it on."""
        return self.flag(context) if self.flag else f"--finish {self.name}"


@dataclass(frozen=True, slots=True)
class _AddressSpec:
    """What inputs and outputs have in common: the form of an address chooses one."""

    name: str
    help: str
    """The addresses it accepts, as a user types them: ``vcam[:name]``."""
    takes: Callable[[str], bool]
    """Whether it accepts an address."""


PICTURES_FPS = 25.0
"""As FFmpeg takes numbered pictures."""


@dataclass(frozen=True, slots=True)
class InputRequest:
    """Options of an input other than its address."""

    size: tuple[int, int] = (1280, 720)
    """(width, height) in pixels requested from a camera."""
    fps: float = 30.0
    """Frames per second requested from a camera."""
    pictures_fps: float = PICTURES_FPS
    """Frames per second of several pictures."""
    hwaccel: str = "none"
    """GPU decoding of video files: none, auto or cuda."""
    tls_ca: str | None = None
    """Path of a CA certificate file to trust instead of the system's certificates."""
    on_event: Event = lambda event: None


@dataclass(frozen=True, slots=True)
class InputSpec(_AddressSpec):
    """An input type."""

    open: Callable[[str, InputRequest], Input]
    """Raises InputError."""


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """Options of an output other than its address."""

    fps: float = 30.0
    frames: int | None = None
    """How many will come; None if that is unknown."""
    plays: int = 0
    """How often an animation is played; 0 is without end."""
    codec: str = "h264"
    """FFmpeg's codec name, for files and streams."""
    audio_from: str | None = None
    """The file whose sound and other tracks are copied to the output."""
    with_sound: bool = True
    """Whether its sound is."""
    audio_start_s: float = 0.0
    """Position in that file at which the first frame is shown, in seconds."""
    audio_end_s: float = math.inf
    """Position in that file at which the last frame ends, in seconds; infinity: at its end."""
    live_sound: Any = None
    """``StreamInfo.live_sound``, to record it."""
    crf: int | None = None
    """Constant quality of the encoder, lower is better; None: the encoder's usual one."""
    bitrate: int | None = None
    """Average bits per second, instead of ``crf``."""
    overwrite: bool = False
    live: bool = False
    tls_ca: str | None = None
    """Path of a CA certificate file to trust instead of the system's certificates."""
    sign: Callable[[Path], None] | None = None
    """Called with each finished file."""
    on_event: Event = lambda event: None
    on_key: Callable[[str], None] = lambda key: None
    """Called with each key pressed in a window."""
    paced: bool = False
    """Show frames at their own times: a file plays in a window at its own speed."""
    overlay: Callable[[], Sequence[str]] | None = None
    """Returns text lines that a window draws over the frame; what follows a tab is in a second column."""


@dataclass(frozen=True, slots=True)
class OutputSpec(_AddressSpec):
    """An output type."""

    open: Callable[[str, OutputRequest], Output]
    """Raises OutputError, UsageError."""
    check: Callable[[str, OutputRequest], object] | None = None
    """Raises OutputError or UsageError for a request that cannot be met, before anything is loaded or opened."""
    by_suffix: bool = False
    """Whether it takes any file whose name ends in a certain way: an output with a prefix is asked before it."""
    path: Callable[[str], str] | None = None
    """The file or folder that an address with a prefix names, so that it cannot be an input or a photo; None: it
    writes no files."""
