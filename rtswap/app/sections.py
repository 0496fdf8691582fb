"""The sections of the configuration: a frozen dataclass each, whose fields are the settings.

The fields are the one table behind the flags, ``rtswap.toml`` and ``docs/usage.md``: to add a setting, add a field.
Seconds and pixels inside.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtswap.app.option_kinds import BADGE_LANGUAGES, address, badge_look, camera_index, finish, swapper
from rtswap.app.options import (
    assignments,
    choice,
    choices,
    duration,
    integer,
    number,
    option,
    size,
    switch,
    text,
    texts,
    thresholds,
)
from rtswap.app.trust import always, leads_away
from rtswap.swappers import built_in_swappers

FAILURES = ("blur", "pixelate", "hold", "stop")
COLOR_TRANSFERS = ("light", "rct", "lct", "mkl", "idt", "sot", "hist", "none")
MASKS, IMPORTED_MASKS = ("hull", "skin", "occlusion"), ("xseg", "bisenet")
PARTS = ("eyes", "nose", "mouth")
KEPT = ("eyes", "mouth")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Source"""

    photos: tuple[str, ...] = option(
        (),
        texts("PHOTO", "a file or a folder"),
        "--source",
        "-s",
        help="photo of the face to put on; repeat it, or give a folder, for several photos of one person",
    )
    also: tuple[str, ...] = option(
        (),
        texts("PHOTO", "a photo or a folder of photos"),
        "--also",
        help="photo or folder of photos of another source, for the keys 2 to 9; repeatable",
    )
    swap: tuple[str, ...] = option(
        (),
        assignments("PERSON", "SOURCE", "left=me.jpg"),
        "--swap",
        help="put this source on this person; repeatable. PERSON: left, right, largest, a number from the left "
        "at the start, or a photo of the person; SOURCE: a photo, a folder or a persona. Others follow --faces",
        own=always,
    )
    face: int = option(
        0,
        integer("N", 0, 99),
        "--source-face",
        help="which face to use in a photo that shows several: 1 is the leftmost, 0 the largest",
    )
    i_have_consent: bool = option(
        False,
        switch(),
        "--i-have-consent",
        help="confirm that the person shown is you or has agreed; skips the question, for scripts",
        own=always,
    )


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Input"""

    address: str = option(
        "0",
        address(),
        "--input",
        "-i",
        help="camera number, video file, image, folder, pattern such as '*.mp4', or URL (rtsp, rtmp, http, udp)",
        also=[("--cam", camera_index(), "camera number, as listed by `rtswap cameras`")],
        own=leads_away,
    )
    size: tuple[int, int] | None = option(None, size(), "--size", help="ask the camera for this size")
    fps: float | None = option(None, number("FPS", 1, 1000), "--fps", help="ask the camera for this frame rate")
    hwaccel: str = option(
        "none",
        choice("none", "auto", "cuda"),
        "--hwaccel",
        help="decode video files on an NVIDIA GPU: cuda warns when it cannot, auto falls back silently",
    )


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Output"""

    to: tuple[str, ...] = option(
        (),
        texts("ADDRESS", "a device, a file or a URL"),
        "--output",
        "-o",
        help="vcam[:name], window, a file (.mp4 .mkv .mov .webm .avi .gif), an image, a URL, or null; repeatable. "
        "Default: the virtual camera, or the preview window if there is none",
        own=leads_away,
    )
    codec: str = option(
        "h264", text("NAME", "a name"), "--codec", help="video codec for files and URLs, by its FFmpeg name"
    )
    overwrite: bool = option(False, switch(), "--overwrite", "-y", help="overwrite existing output files", own=always)


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Tracking"""

    faces: str = option("one", choice("one", "all"), "--faces", help="swap one person, or everybody", own=always)
    follow: str = option(
        "person",
        choice("person", "place"),
        "--follow",
        help="tell people apart by their faces, so that nobody takes over; or by position and size alone",
        own=always,
    )
    min_face_px: int = option(
        35, integer("PX", 12, 4096), "--min-face", help="smallest face to look for, in pixels", own=always
    )
    thresholds: tuple[float, ...] = option(
        (0.6, 0.7, 0.8),
        thresholds(3),
        "--thresholds",
        help="minimum confidence of the three detector stages",
        own=always,
    )


@dataclass(frozen=True, slots=True)
class SwapConfig:
    """Swap"""

    swapper: str = option(
        "mesh",
        swapper(),
        "--swapper",
        help="swapping method. "
        + ". ".join(f"{spec.name}: {spec.help}" for spec in built_in_swappers())
        + ". Or an imported model, see `rtswap models`",
    )
    expression: float = option(
        1.0, number("K", 0, 1.5), "--expression", help="how much of the target's expression to keep"
    )
    strength: float = option(
        1.0,
        number("N", 0, 1.3),
        "--strength",
        help="how strongly the source shows: below 1 goes towards an average face, above 1 exaggerates",
    )
    delight: bool = option(
        False, switch(), "--delight", help="no longer needed: a photo's hard light and shadows are always reduced"
    )
    color: str = option(
        "light",
        choice(*COLOR_TRANSFERS),
        "--color",
        help="how to match the target's colours; idt and sot are slow, for files",
    )
    detail: str = option("match", choice("match", "none"), "--detail", help="match the target's sharpness and grain")
    blend: str = option(
        "alpha", choice("alpha", "poisson"), "--blend", help="how to blend the edge; poisson is slow, for files"
    )
    finishes: tuple[str, ...] = option(
        (),
        finish(),
        "--finish",
        help="extra step between swap and paste, from an installed package; repeatable",
    )


@dataclass(frozen=True, slots=True)
class MaskConfig:
    """Where the swap shows"""

    masks: tuple[str, ...] = option(
        MASKS,
        choices(*MASKS, *IMPORTED_MASKS),
        "--mask",
        help="hull: inside the face; skin: without the photo's hair; occlusion: behind hands, cups and hair; xseg, "
        "bisenet: what an imported model sees of the face",
    )
    parts: tuple[str, ...] = option(
        ("all",), choices("all", *PARTS), "--parts", help="swap only these parts of the face", own=always
    )
    keep: tuple[str, ...] = option(
        (), choices(*KEPT), "--keep", help="keep these parts of the target's face", own=always
    )

    @property
    def partial(self) -> bool:
        """Whether the user wants parts of the target's own face to show."""
        return bool(self.keep) or "all" not in self.parts


@dataclass(frozen=True, slots=True)
class SafetyConfig:
    """When a face cannot be swapped"""

    on_failure: str = option(
        "blur",
        choice(*FAILURES),
        "--on-failure",
        help="blur or pixelate the face, hold the last safe picture, or stop",
        own=always,
    )
    empty_after_s: float = option(
        3.0,
        duration(3600),
        "--empty-after",
        help="let plain frames pass after this time without anybody in the picture",
        own=always,
    )
    others: str = option(
        "cover",
        choice("cover", "show"),
        "--others",
        help="cover people who are not swapped, or show them as they are",
        own=always,
    )
    pass_through: bool = option(
        False,
        switch(),
        "--pass-through",
        help="let plain frames pass when there is no swap: the real face shows",
        own=always,
    )


@dataclass(frozen=True, slots=True)
class BadgeConfig:
    """Badge"""

    look: str = option(
        "auto bl",
        badge_look(),
        "--badge",
        help="style and position of the badge: t or b for top or bottom, l, c or r for left, centre or right",
    )
    language: str = option("en", choice(*BADGE_LANGUAGES), "--badge-language", help="language of the badge")
    hide: bool = option(
        False, switch(), "--no-badge", help="do not draw the badge: you must tell people yourself", own=always
    )

    @property
    def style(self) -> str:
        return self.look.split()[0]

    @property
    def position(self) -> str:
        return self.look.split()[1]


@dataclass(frozen=True, slots=True)
class MarksConfig:
    """Marks that machines read"""

    certificate: str | None = option(
        None,
        text("FILE", "a file"),
        "--sign-with",
        help="your certificate chain (PEM), to sign recordings with",
        own=always,
    )
    key: str | None = option(None, text("FILE", "a file"), "--sign-key", help="its private key (PEM)", own=always)
    unmarked: bool = option(
        False,
        switch(),
        "--unmarked",
        help="no badge and no invisible mark, for research; needs marks.reason in rtswap.toml",
        own=always,
    )
    reason: str | None = option(
        None, text("TEXT", "a sentence"), help="why pictures are unmarked; only in rtswap.toml", own=always
    )


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """Speed"""

    target_s: float = option(
        0.040,
        duration(60),
        "--budget",
        help="time one frame may take; quality is lowered to keep it. 0 turns this off",
    )


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Inference engine"""

    engine: str = option(
        "auto",
        choice("auto", "tensorrt", "torch-cuda", "openvino", "onnxruntime"),
        "--engine",
        help="inference engine; auto picks the fastest one that passes the accuracy check",
    )
    threads: int = option(0, integer("N", 0, 256), "--threads", help="threads per network; 0 for automatic")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Connections"""

    tls_ca: str | None = option(
        None, text("FILE", "a file"), "--tls-ca", help="trust these certificates (PEM) and no others", own=always
    )


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Metrics"""

    file: str | None = option(
        None,
        text("FILE", "a file"),
        "--metrics",
        help="append a JSON line per second to this file; a .prom file is kept up to date for Prometheus",
        own=leads_away,
    )


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """Console"""

    json: bool = option(False, switch(), "--json", help="print the result as JSON on standard output")
    quiet: bool = option(False, switch(), "--quiet", "-q", help="print only errors", own=always)
    stats: bool = option(False, switch(), "--stats", help="also print percentiles of stages and ages", own=always)
