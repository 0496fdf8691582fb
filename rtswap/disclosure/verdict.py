"""Combine window readings into spans, and spans with the manifest into a verdict. No pixels, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rtswap.core.types import Image
from rtswap.disclosure.manifest import ManifestReport
from rtswap.disclosure.watermark import Payload
from rtswap.disclosure.watermark_reader import Reading


class MarkReader(Protocol):
    """Reads the watermark, as ``rtswap.disclosure.watermark_reader.WatermarkReader``. One per file."""

    def add(self, image: Image, time_s: float) -> list[Reading]:
        """Add a frame (H, W, 3) BGR uint8; returns the windows that it completes."""
        ...

    def finish(self) -> list[Reading]:
        """Return the last, shorter window."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """A period in which every window has the watermark."""

    from_s: float
    to_s: float
    windows: int
    score: float
    """Score of its clearest window, in standard deviations."""
    payload: Payload | None
    """The decoded payload; None if the watermark is too weak to decode."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one file. ``marked`` False does not prove that it is genuine: marks can be lost or removed."""

    name: str
    """Path of the file, or its address without passwords."""
    spans: tuple[Span, ...]
    """Periods with the watermark, in order."""
    windows: int
    """Number of windows analysed."""
    frames: int
    seconds: float
    """Seconds from the first frame to the end of the last window."""
    false_positive: float
    """Upper bound on the probability that a window of an unmarked file of this length reaches the best score
    found."""
    manifest: ManifestReport | None
    notes: tuple[str, ...] = ()
    """What could not be analysed, and why."""

    @property
    def marked(self) -> bool:
        """True if the watermark was found, or a manifest of rtswap that matches the file."""
        return bool(self.spans) or self.has_manifest

    @property
    def has_manifest(self) -> bool:
        """True for a valid manifest that names rtswap."""
        return self.manifest is not None and self.manifest.by_rtswap and self.manifest.holds

    @property
    def marked_windows(self) -> int:
        return sum(span.windows for span in self.spans)

    @property
    def payload(self) -> Payload | None:
        """Payload of the clearest span that could be decoded."""
        read = [span for span in self.spans if span.payload is not None]
        return max(read, key=lambda span: span.score).payload if read else None


def spans_of(readings: Sequence[Reading]) -> tuple[Span, ...]:
    """Merge adjacent windows with the watermark into spans, unless their payloads differ."""
    spans: list[Span] = []
    previous: Reading | None = None
    for reading in readings:
        if reading.present:
            here = Span(reading.from_s, reading.to_s, 1, reading.score, reading.payload)
            joined = _join(spans[-1], here) if spans and previous is not None and previous.present else None
            spans[-1:] = [joined] if joined else [*spans[-1:], here]
        previous = reading
    return tuple(spans)


def chance(readings: Sequence[Reading]) -> float:
    """Probability of the best score in as many unmarked windows (Boole's inequality); 1 for none."""
    if not readings:
        return 1.0
    return min(1.0, min(reading.false_positive for reading in readings) * len(readings))


def _join(before: Span, after: Span) -> Span | None:
    """Merge two spans; None if their payloads differ, or if time ran backwards."""
    said = {payload for payload in (before.payload, after.payload) if payload is not None}
    if len(said) > 1 or after.from_s < before.to_s:
        return None
    score = max(before.score, after.score)
    return Span(before.from_s, after.to_s, before.windows + after.windows, score, next(iter(said), None))
