"""The sections of the configuration: a frozen dataclass each, whose fields are the settings. Those of
inputs and outputs stand in ``io_sections``.

The fields are the one table behind the flags, ``rtswap.toml`` and ``docs/usage.md``: to add a setting, add a field.
Seconds and pixels inside.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtswap.app.option_kinds import (
    BADGE_LANGUAGES,
    IMPORTED_MASKS,
    MASKS,
    badge_look,
    finish,
    runs_foreign_part,
    swapper,
)
from rtswap.app.options import (
    assignments,
    choice,
    choices,
    duration,
    integer,
    number,
    option,
    switch,
    text,
    texts,
    thresholds,
)
from rtswap.app.trust import always, photo_leads_away
from rtswap.swappers import built_in_swappers

FAILURES = ("blur", "pixelate", "hold", "stop")
COLOR_TRANSFERS = ("light", "rct", "lct", "mkl", "idt", "sot", "hist", "none")
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
        help="photo of the face to put on; for several photos of one person, repeat it or give a folder",
        own=photo_leads_away,
    )
    also: tuple[str, ...] = option(
        (),
        texts("PHOTO", "a photo or a folder of photos"),
        "--also",
        help="photo or folder of photos of another source: for the keys 2 to 9, and for the second and further "
        "people from the left with --faces all; repeatable",
        own=photo_leads_away,
    )
    swap: tuple[str, ...] = option(
        (),
        assignments("PERSON", "SOURCE", "left=me.jpg"),
        "--swap",
        help="put this source on this person; repeatable. PERSON: left, right, largest, a number counted from the "
        "left, or a photo of the person. SOURCE: a photo, a folder or a persona. --faces applies to everybody else",
        own=always,
    )
    face: int = option(
        0,
        integer("N", 0, 99),
        "--source-face",
        help="face to use in a photo of several people: 1 is the leftmost, 0 the largest",
    )
    i_have_consent: bool = option(
        False,
        switch(),
        "--i-have-consent",
        help="confirm that the person in the photo is you or has agreed; for scripts, skips the question",
        own=always,
    )


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Tracking"""

    faces: str = option(
        "one", choice("one", "all"), "--faces", help="swap one person, or everybody in the picture", own=always
    )
    follow: str = option(
        "person",
        choice("person", "place"),
        "--follow",
        help="recognise the followed person by their face, or go by position and size alone",
        own=always,
    )
    min_face_px: int = option(
        35,
        integer("PX", 12, 4096),
        "--min-face",
        help="smallest face to look for, in pixels, roughly: down to half of it may be swapped, smaller ones are "
        "covered; in 4K at least about 150",
        own=always,
    )
    thresholds: tuple[float, ...] = option(
        (0.6, 0.7, 0.8),
        thresholds(3),
        "--thresholds",
        help="minimum confidence of the three detector stages",
        own=always,
    )
    kalman_noise: float = option(
        1.0,
        number("K", 0.01, 100),
        "--kalman-noise",
        help="process noise of the followed face's Kalman filter, as a multiple of the default: below 1 is steadier, "
        "above 1 follows faster",
        own=always,
    )
    box_average: float = option(
        0.0,
        number("K", 0, 0.99),
        "--box-average",
        help="share of the previous place in a moving average, which then replaces the Kalman filter: 0.65 as in "
        "faceswap-GAN. It lags behind motion",
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
        + ". Or an imported model, see `rtswap models`, or a DFM file",
        own=runs_foreign_part,
    )
    expression: float = option(
        1.0,
        number("K", 0, 1.5),
        "--expression",
        help="how strongly the target's expression is followed: 0 keeps the photo's, 1.5 exaggerates",
    )
    strength: float = option(
        1.0,
        number("N", 0, 1.3),
        "--strength",
        help="how strongly the source shows: 0 is an average face, above 1 exaggerates",
    )
    color: str = option(
        "light",
        choice(*COLOR_TRANSFERS),
        "--color",
        help="how to match the target's colours; idt and sot are slow, for files",
    )
    detail: str = option(
        "match",
        choice("match", "restore", "none"),
        "--detail",
        help="match the target's sharpness, skin texture and grain; restore: also what a swapper of low resolution "
        "lacks, by a network",
    )
    blend: str = option(
        "alpha", choice("alpha", "poisson"), "--blend", help="how to blend the edge; poisson is slow, for files"
    )
    finishes: tuple[str, ...] = option(
        (),
        finish(),
        "--finish",
        help="extra step between swap and paste that no other flag turns on; repeatable",
        own=runs_foreign_part,
    )


@dataclass(frozen=True, slots=True)
class MaskConfig:
    """Where the swap shows"""

    masks: tuple[str, ...] = option(
        MASKS,
        choices(*MASKS, *IMPORTED_MASKS),
        "--mask",
        help="where the swap ends. hull: at the outline of the face; skin: where the photo shows hair; occlusion: "
        "behind hands, cups, hair and glasses; xseg, bisenet: where an imported model segments the face",
        own=runs_foreign_part,
    )
    parts: tuple[str, ...] = option(
        ("all",),
        choices("all", *PARTS),
        "--parts",
        help="parts of the face to swap: all, or some of eyes, nose, mouth",
        own=always,
    )
    keep: tuple[str, ...] = option(
        (), choices(*KEPT), "--keep", help="parts to keep of the target's own face: eyes, mouth", own=always
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
        help="show frames unchanged after this time without anybody in the picture",
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
        help="show the real face where it cannot be swapped, instead of covering it",
        own=always,
    )


@dataclass(frozen=True, slots=True)
class BadgeConfig:
    """Badge"""

    look: str = option(
        "auto bl",
        badge_look(),
        "--badge",
        help="style of the badge (auto, dark, light, outline), its position (tl, tc, tr, bl, bc, br: top or bottom, "
        "left, centre or right), or both",
    )
    language: str = option(
        "en",
        choice(*BADGE_LANGUAGES, metavar="LANGUAGE"),
        "--badge-language",
        help="language of the badge: " + ", ".join(BADGE_LANGUAGES),
    )
    hide: bool = option(
        False, switch(), "--no-badge", help="draw no badge; you must tell viewers yourself", own=always
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
        help="certificate chain (PEM) to sign recordings with, instead of this machine's own",
        own=always,
    )
    key: str | None = option(
        None, text("FILE", "a file"), "--sign-key", help="private key (PEM) of that certificate", own=always
    )
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
        help="time that a live frame may take; quality is lowered to stay within it, 0 never lowers it",
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
