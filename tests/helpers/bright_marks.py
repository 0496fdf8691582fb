"""Clips and pictures for ``rtswap verify`` with a mark that survives every codec: brightness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from media_files import make_clip

from rtswap.commands.verify.run import verify
from rtswap.core.types import Image
from rtswap.disclosure.verdict import Verdict
from rtswap.disclosure.watermark import Kind, Payload
from rtswap.disclosure.watermark_reader import Reading

PAYLOAD = Payload((0, 1), Kind.SWAPPED_FACE, 10)
SIZE = (64, 48)


class BrightReader:
    """Reads brightness as the mark, which survives every codec."""

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s, self._seen = window_s, []

    def add(self, image: Image, time_s: float) -> list[Reading]:
        assert image.ndim == 3
        assert image.dtype == np.uint8
        done = self.finish() if self._seen and time_s >= self._seen[0][0] + self._window_s - 1e-6 else []
        self._seen.append((time_s, float(image.mean())))
        return done

    def finish(self) -> list[Reading]:
        if not self._seen:
            return []
        times, levels = zip(*self._seen, strict=True)
        self._seen = []
        present = float(np.mean(levels)) > 128
        return [
            Reading(
                present, PAYLOAD if present else None, 9.0, 1e-9 if present else 0.7, len(times), times[0], times[-1]
            )
        ]


def grey(level: int, size: tuple[int, int] = SIZE) -> Image:
    return np.full((size[1], size[0], 3), level, np.uint8)


def clip(path: Path, pattern: str, **options: object) -> Path:
    """A second of bright (``#``) or dark (``.``) pictures for each sign."""
    make_clip(path, [grey(220 if sign == "#" else 30) for sign in pattern for _ in range(10)], fps=10, **options)
    return path


def look(path: Path | str, **options: object) -> Verdict:
    return verify(path, reader=BrightReader(), **options)  # type: ignore[arg-type]
