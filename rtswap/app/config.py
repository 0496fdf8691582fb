"""Every setting, one frozen dataclass per component, gathered in ``Config``.

The fields are the one table behind the flags, ``rtswap.toml`` and ``docs/usage.md``: to add a setting, add a
field. Values come from flags, else from the file, else from here. Seconds and pixels inside.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from rtswap.app.options import (
    Kind,
    Option,
    assignments,
    choice,
    choices,
    duration,
    integer,
    number,
    option,
    options_of,
    size,
    switch,
    text,
    texts,
    thresholds,
)

FAILURES = ("blur", "pixelate", "hold", "stop")
COLOR_TRANSFERS = ("light", "rct", "lct", "mkl", "idt", "sot", "hist", "none")
MASKS = ("hull", "skin", "occlusion")
PARTS = ("eyes", "nose", "mouth")
KEPT = ("eyes", "mouth")
BADGE_STYLES = ("auto", "dark", "light", "outline")
BADGE_POSITIONS = ("tl", "tc", "tr", "bl", "bc", "br")
BADGE_LANGUAGES = tuple("en bg cs da de el es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv zh ja ko".split())  # noqa: SIM905
"""The official ones of the EU, and three more."""


def _camera_index() -> Kind:
    index = integer("N", 0, 255)
    return Kind(index.expected, "N", lambda value: str(index.parse(value)), write=index.write)


def _address() -> Kind:
    """A camera's number, a path or a URL; always a text inside."""
    expected = "a camera's number, a file, a folder or a URL"
    read = text("ADDRESS", expected).parse
    return Kind(expected, "ADDRESS", lambda v: read(str(v)), (str, int))


def _badge_look() -> Kind:
    """A style, a place or both, in any order; always ``style place`` inside."""

    def parse(value: str) -> str:
        style, position = "auto", "bl"
        words = value.replace(",", " ").split()
        for word in words:
            if word in BADGE_STYLES:
                style = word
            elif word in BADGE_POSITIONS:
                position = word
            else:
                raise ValueError(repr(word))
        if not words:
            raise ValueError("nothing")
        return f"{style} {position}"

    expected = f"a style ({', '.join(BADGE_STYLES)}), a place ({', '.join(BADGE_POSITIONS)}) or both: light,tr"
    return Kind(expected, "STYLE,PLACE", parse)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Whose face is put on"""

    photos: tuple[str, ...] = option(
        (),
        texts("PHOTO", "a file or a folder"),
        "--source",
        "-s",
        help="photo of the source; repeat it, or give a folder, for several photos",
    )
    also: tuple[str, ...] = option(
        (),
        texts("PHOTO", "a photo or a folder of photos"),
        "--also",
        help="photo, or folder of photos, of one more source, for the keys 2 to 9; repeat it",
    )
    swap: tuple[str, ...] = option(
        (),
        assignments("PERSON", "SOURCE", "left=me.jpg"),
        "--swap",
        help="give one person a source of their own; repeat it. PERSON: left, right, largest, a number from left to "
        "right at the start, or a photo of them; SOURCE: a photo or folder. All others follow --faces",
    )
    face: int = option(
        0,
        integer("N", 0, 99),
        "--source-face",
        help="which face of a photo with several: 1 is the leftmost; 0 takes the largest",
    )
    i_have_consent: bool = option(
        False,
        switch(),
        "--i-have-consent",
        help="the person shown is me or has agreed: do not ask, for scripts",
    )


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Where frames come from"""

    address: str = option(
        "0",
        _address(),
        "--input",
        "-i",
        help="camera number, video file, image, folder of images, or URL (rtsp, rtmp, http, udp, srt)",
        also=[("--cam", _camera_index(), "camera number, as listed by `rtswap cameras`")],
    )
    size: tuple[int, int] | None = option(None, size(), "--size", help="ask the camera for this size")
    fps: float | None = option(None, number("FPS", 1, 1000), "--fps", help="ask the camera for this frame rate")
    hwaccel: str = option(
        "none",
        choice("none", "auto", "cuda"),
        "--hwaccel",
        help="decode video files on an NVIDIA GPU: cuda says so where it cannot, auto does not",
    )


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Where finished pictures go"""

    to: tuple[str, ...] = option(
        (),
        texts("ADDRESS", "a device, a file or a URL"),
        "--output",
        "-o",
        help="vcam[:name], window, a file (.mp4 .mkv .mov), an image, a URL, or null; repeat it for several. "
        "Left out: the virtual camera, or else the preview window",
    )
    codec: str = option(
        "h264", text("NAME", "a name"), "--codec", help="video codec of files and URLs, by FFmpeg's name"
    )
    overwrite: bool = option(False, switch(), "--overwrite", "-y", help="replace output files that exist")


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Finding and following faces"""

    faces: str = option("one", choice("one", "all"), "--faces", help="swap one person's face, or every face")
    follow: str = option(
        "person",
        choice("person", "place"),
        "--follow",
        help="know people again by their looks, so that nobody takes their place; or by place and size alone",
    )
    min_face_px: int = option(35, integer("PX", 12, 4096), "--min-face", help="smallest face looked for, in pixels")
    thresholds: tuple[float, ...] = option(
        (0.6, 0.7, 0.8), thresholds(3), "--thresholds", help="scores asked of the detector's three networks"
    )


@dataclass(frozen=True, slots=True)
class SwapConfig:
    """The swap"""

    swapper: str = option(
        "mesh",
        choice("mesh", "one", "one-256"),
        "--swapper",
        help="mesh moves the photo's own pixels; one lets a small network soften its shadows (slower), one-256 a "
        "finer one (slower still: for a GPU)",
    )
    expression: float = option(
        1.0, number("K", 0, 1.5), "--expression", help="how much of the target's expression comes through"
    )
    strength: float = option(
        1.0,
        number("N", 0, 1.3),
        "--strength",
        help="how strongly the source shows: less goes towards the mean face, more exaggerates",
    )
    delight: bool = option(
        False, switch(), "--delight", help="take hard light and shadows off the photo; costs a little likeness"
    )
    color: str = option(
        "light",
        choice(*COLOR_TRANSFERS),
        "--color",
        help="how the source takes on the target's colours; idt and sot are slow, for files",
    )
    detail: str = option(
        "match", choice("match", "none"), "--detail", help="match the target's sharpness and grain, or not"
    )
    blend: str = option("alpha", choice("alpha", "poisson"), "--blend", help="poisson is slow, for files")


@dataclass(frozen=True, slots=True)
class MaskConfig:
    """Where the swap shows"""

    masks: tuple[str, ...] = option(
        MASKS,
        choices(*MASKS),
        "--mask",
        help="hull: inside the face's outline; skin: not the photo's hair; occlusion: behind hands, cups and hair",
    )
    parts: tuple[str, ...] = option(
        ("all",), choices("all", *PARTS), "--parts", help="swap these parts of the face only"
    )
    keep: tuple[str, ...] = option((), choices(*KEPT), "--keep", help="keep these parts of the target's own face")


@dataclass(frozen=True, slots=True)
class SafetyConfig:
    """When a face cannot be swapped"""

    on_failure: str = option(
        "blur",
        choice(*FAILURES),
        "--on-failure",
        help="blur or pixelate the face, hold the last safe picture, or stop",
    )
    empty_after_s: float = option(
        3.0, duration(3600), "--empty-after", help="with nobody in the picture for so long, plain frames may pass"
    )
    pass_through: bool = option(
        False, switch(), "--pass-through", help="let plain frames pass whenever there is no swap: the real face shows"
    )


@dataclass(frozen=True, slots=True)
class BadgeConfig:
    """The label that says that the face is synthetic"""

    look: str = option(
        "auto bl",
        _badge_look(),
        "--badge",
        help="how the badge looks, and its place: top or bottom, left, centre or right",
    )
    language: str = option("en", choice(*BADGE_LANGUAGES), "--badge-language", help="language of the badge")
    hide: bool = option(False, switch(), "--no-badge", help="draw no badge: you must tell people yourself")

    @property
    def style(self) -> str:
        return self.look.split()[0]

    @property
    def position(self) -> str:
        return self.look.split()[1]


@dataclass(frozen=True, slots=True)
class MarksConfig:
    """What says by machine that the face is synthetic"""

    certificate: str | None = option(
        None, text("FILE", "a file"), "--sign-with", help="certificate chain (PEM) that signs recordings; yours"
    )
    key: str | None = option(None, text("FILE", "a file"), "--sign-key", help="its private key (PEM)")
    unmarked: bool = option(
        False,
        switch(),
        "--unmarked",
        help="for research: neither badge nor invisible mark. Needs a reason in rtswap.toml (marks.reason)",
    )
    reason: str | None = option(
        None, text("TEXT", "a sentence"), help="why pictures leave unmarked, in rtswap.toml alone"
    )


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """Speed"""

    target_s: float = option(
        0.040,
        duration(60),
        "--budget",
        help="time one frame may take; quality steps down to keep it. 0 turns this off",
    )


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What runs the networks"""

    engine: str = option(
        "auto",
        choice("auto", "tensorrt", "torch-cuda", "openvino", "onnxruntime"),
        "--engine",
        help="runtime of the networks; auto takes the fastest that computes right",
    )
    threads: int = option(0, integer("N", 0, 256), "--threads", help="threads per network; 0 lets rtswap choose")


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """What is measured"""

    file: str | None = option(
        None,
        text("FILE", "a file"),
        "--metrics",
        help="append one JSON line a second to this file; a .prom file is kept for Prometheus instead",
    )


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """What is printed"""

    json: bool = option(False, switch(), "--json", help="print the result as JSON on standard output")
    quiet: bool = option(False, switch(), "--quiet", "-q", help="print errors only")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of a run."""

    source: SourceConfig = SourceConfig()
    input: InputConfig = InputConfig()
    output: OutputConfig = OutputConfig()
    tracking: TrackingConfig = TrackingConfig()
    swap: SwapConfig = SwapConfig()
    mask: MaskConfig = MaskConfig()
    safety: SafetyConfig = SafetyConfig()
    badge: BadgeConfig = BadgeConfig()
    marks: MarksConfig = MarksConfig()
    budget: BudgetConfig = BudgetConfig()
    engine: EngineConfig = EngineConfig()
    metrics: MetricsConfig = MetricsConfig()
    console: ConsoleConfig = ConsoleConfig()


SECTIONS: MappingProxyType[str, type[Any]] = MappingProxyType(
    {item.name: type(item.default) for item in fields(Config)}
)
"""Section of the TOML file -> its dataclass."""

OPTIONS: tuple[Option, ...] = tuple(row for name, part in SECTIONS.items() for row in options_of(name, part))
"""The table."""
