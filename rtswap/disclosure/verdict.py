"""What was found: windows become spans, and spans with the manifest a verdict. No pixels, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rtswap.core.types import Image
from rtswap.disclosure.manifest import ManifestReport
from rtswap.disclosure.watermark import Payload
from rtswap.disclosure.watermark_reader import Reading


class MarkReader(Protocol):
    """What reads the invisible mark, such as ``rtswap.disclosure.watermark_reader.WatermarkReader``. One per file."""

    def add(self, image: Image, time_s: float) -> list[Reading]:
        """The windows completed by this frame, (H, W, 3) BGR uint8."""
        ...

    def finish(self) -> list[Reading]:
        """The last, shorter window."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which every window carries the mark."""

    from_s: float
    to_s: float
    windows: int
    score: float
    """Of its clearest window, in standard deviations."""
    payload: Payload | None
    """What the mark says; None where it is there but too weak to be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one file. ``marked`` False is no proof that it is genuine: marks can be lost or removed."""

    name: str
    """The file's path, or its address without passwords."""
    spans: tuple[Span, ...]
    """Where the invisible mark is, in order."""
    windows: int
    """Looked at."""
    frames: int
    seconds: float
    """From the first frame to the end of the last window."""
    false_positive: float
    """The chance, at most, that some window of an unmarked file of this length scores as high as the best here."""
    manifest: ManifestReport | None
    notes: tuple[str, ...] = ()
    """What could not be looked at, and why."""

    @property
    def marked(self) -> bool:
        """The invisible mark was found, or a manifest of rtswap that fits the file."""
        return bool(self.spans) or self.has_manifest

    @property
    def has_manifest(self) -> bool:
        """One that says rtswap, and holds."""
        return self.manifest is not None and self.manifest.by_rtswap and self.manifest.holds

    @property
    def marked_windows(self) -> int:
        return sum(span.windows for span in self.spans)

    @property
    def payload(self) -> Payload | None:
        """What the clearest span that can be read says."""
        read = [span for span in self.spans if span.payload is not None]
        return max(read, key=lambda span: span.score).payload if read else None


def spans_of(readings: Sequence[Reading]) -> tuple[Span, ...]:
    """Neighbouring windows with the mark become one span, unless they say different things."""
    spans: list[Span] = []
    previous: Reading | None = None
    for reading in readings:
        if reading.present:
            here = Span(reading.from_s, reading.to_s, 1, reading.score, reading.payload)
            joined = _joined(spans[-1], here) if spans and previous is not None and previous.present else None
            spans[-1:] = [joined] if joined else [*spans[-1:], here]
        previous = reading
    return tuple(spans)


def chance(readings: Sequence[Reading]) -> float:
    """Of the best window's score somewhere in as many unmarked ones (Boole's inequality); 1 for none."""
    if not readings:
        return 1.0
    return min(1.0, min(reading.false_positive for reading in readings) * len(readings))


def _joined(before: Span, after: Span) -> Span | None:
    """None where they say different things, or where time ran backwards."""
    said = {payload for payload in (before.payload, after.payload) if payload is not None}
    if len(said) > 1 or after.from_s < before.to_s:
        return None
    score = max(before.score, after.score)
    return Span(before.from_s, after.to_s, before.windows + after.windows, score, next(iter(said), None))
