"""What each kind of video file holds, and how FFmpeg writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtswap.core.errors import UsageError

_FRAGMENTED = {"movflags": "hybrid_fragmented+delay_moov", "use_editlist": "1"}
_ISO_SOUND = frozenset({"aac", "mp3", "ac3", "alac"})
_BITMAP_SUBTITLES = frozenset({"dvb_subtitle", "hdmv_pgs_subtitle", "dvd_subtitle"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".mkv", ".mk3d", ".webm"}
    | {".avi", ".divx", ".dv", ".wmv", ".asf", ".flv", ".ogv", ".ogg", ".ogm", ".mxf"}
    | {".rm", ".rmvb", ".mpg", ".mpeg", ".mpe", ".m2v", ".ts", ".mts", ".m2ts", ".m2t"}
    | {".trp", ".vob", ".mod", ".tod", ".dav", ".wtv", ".y4m", ".mjpeg", ".mjpg", ".amv"}
    | {".nut", ".ivf", ".obu", ".264", ".h264", ".avc", ".265", ".h265", ".hevc", ".m1v", ".mpv", ".lrv", ".insv"}
)
"""What is taken for a video in a folder or behind a pattern. A file that is named may have any suffix."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """A container format. Codecs are named as FFmpeg names them, not its decoders. ``muxer``: FFmpeg's name of it."""

    muxer: str
    codecs: tuple[str, ...] = ()
    """Values of ``--codec`` that it holds, the default first; empty: all but ``unfit``, with h264 as the default."""
    options: Mapping[str, str] = field(default_factory=dict)
    """For FFmpeg's muxer."""
    sound: frozenset[str] = frozenset()
    """Audio codecs that are copied; all others are converted to ``sound_encoder``."""
    sound_encoder: str = ""
    """Empty: it holds no sound."""
    subtitles: frozenset[str] = frozenset()
    """Subtitle codecs that are copied; texts are converted to ``subtitle_encoder``."""
    subtitle_encoder: str = ""
    chapters: bool = False
    attachments: bool = False
    index_last: bool = False
    """FFmpeg writes its index at the end, from where it is moved to the front."""
    unfit: tuple[str, ...] = ()
    """Values of ``--codec`` that it does not hold."""


KINDS = {
    ".mp4": FileKind(
        "mp4",
        (),
        _FRAGMENTED,
        _ISO_SOUND | {"eac3", "opus", "flac"},
        "aac",
        frozenset({"mov_text"}),
        "mov_text",
        chapters=True,
        index_last=True,
    ),
    ".mov": FileKind(
        "mov",
        (),
        _FRAGMENTED,
        _ISO_SOUND | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"},
        "aac",
        frozenset({"mov_text"}),
        "mov_text",
        chapters=True,
        index_last=True,
        unfit=("vp9", "av1"),
    ),
    ".mkv": FileKind(
        "matroska",
        (),
        {"cluster_time_limit": "1000"},
        _ISO_SOUND | {"eac3", "opus", "vorbis", "flac", "dts", "truehd", "pcm_s16le"},
        "aac",
        _BITMAP_SUBTITLES | {"subrip", "ass"},
        "srt",
        chapters=True,
        attachments=True,
    ),
    ".webm": FileKind(
        "webm",
        ("vp9", "av1"),
        {"cluster_time_limit": "1000"},
        frozenset({"opus", "vorbis"}),
        "libopus",
        frozenset({"webvtt"}),
        "webvtt",
        chapters=True,
    ),
    ".avi": FileKind("avi", ("h264", "mpeg4", "mjpeg"), {}, frozenset({"mp3", "ac3", "pcm_s16le"}), "libmp3lame"),
    ".gif": FileKind("gif", ("gif",)),
    ".apng": FileKind("apng", ("apng",)),
}
"""By suffix."""
_DEFAULT = "h264"
_MOST_PLAYS = 65_535
"""That GIF can say, and FFmpeg of APNG."""


def options_of(suffix: str, plays: int) -> dict[str, str]:
    """Return what FFmpeg's muxer is told. ``plays``: how often an animation is played, 0 for without end."""
    repeated = -1 if plays == 1 else min(max(0, plays - 1), _MOST_PLAYS)  # -1: GIF says nothing
    played = {".gif": {"loop": str(repeated)}, ".apng": {"plays": str(min(plays, _MOST_PLAYS))}}
    return {**KINDS[suffix].options, **played.get(suffix, {})}


_ENCODERS = {"h264": ("264",), "vp9": ("vp9",), "av1": ("av1",)}
"""What the names of a codec's encoders contain."""


def codec_for(suffix: str, codec: str) -> str:
    """Return the codec to write in this kind of file: ``codec`` if it fits, or the kind's own instead of h264. Raises
    UsageError."""
    allowed = KINDS[suffix].codecs
    if not holds(suffix, codec):
        expected = ", ".join(allowed or ("h264", "hevc", "mpeg4"))
        raise UsageError(f"{suffix} files cannot hold {codec}", expected=expected, do="Change --codec.")
    return allowed[0] if allowed and codec == _DEFAULT else codec


def holds(suffix: str, codec: str) -> bool:
    """Whether a kind of file can hold what ``--codec`` names. Its default is that of the kind, where h264 is none."""
    kind, codec = KINDS[suffix], codec.lower()
    if kind.codecs and codec != _DEFAULT:
        return any(part in codec for name in kind.codecs for part in _ENCODERS.get(name, (name,)))
    return not any(name in codec for name in kind.unfit)
