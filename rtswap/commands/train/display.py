"""Show a training on the terminal, on TensorBoard where that is installed, and in a window if asked."""

from __future__ import annotations

from pathlib import Path

import cv2

from rtswap.app.console import Console
from rtswap.training.board import open_board
from rtswap.training.trainer import Listener
from rtswap.vision.images import read_image

WINDOW = "rtswap train"


class Show(Listener):
    """Prints trials and what is unusual; losses go to the status line. ``preview``: show every new sheet in a
    window."""

    def __init__(self, console: Console, out: Path, *, preview: bool) -> None:
        self._console, self._preview = console, preview
        self._board = open_board(out / "tensorboard")
        self._line = ""
        self._began_s: float | None = None
        """Seconds of training that earlier runs have done: the bar and the time left are those of this run."""

    def event(self, line: str) -> None:
        """Print it."""
        self._console.event(line)

    def step(self, number: int, seconds: float, of_s: float) -> None:
        """Move the progress bar."""
        if self._began_s is None:
            self._began_s = seconds
        done, total = seconds - self._began_s, max(1.0, of_s - self._began_s)
        self._console.progress(round(done), round(total), f"step {number}{self._line}", unit=" s")
        if self._preview:
            cv2.waitKey(1)

    def report(self, number: int, terms: dict[str, float], line: str) -> None:
        """Keep the losses for the status line; log them."""
        shown = "  ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in terms.items())
        self._line = f"  {shown}"
        self._log(number, terms)

    def trial(self, minutes: float, figures: dict[str, float], picture: Path) -> None:
        """Print the figures, show the sheet."""
        self._console.event(f"{minutes:.0f} min: faces kept out of training: {in_words(figures)}. See {picture}")
        self._log(round(60 * minutes), figures)
        if self._preview:
            cv2.imshow(WINDOW, read_image(picture))
            cv2.waitKey(1)

    def _log(self, number: int, figures: dict[str, float]) -> None:
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, number)
            self._board.flush()


def in_words(figures: dict[str, float]) -> str:
    """Figures of a trial in one line: ``..._psnr`` in dB."""
    return ", ".join(
        f"{name.removesuffix('_psnr').replace('_', ' ')} {value:.1f} dB"
        if name.endswith("_psnr")
        else f"{name.replace('_', ' ')} {value:.2f}"
        for name, value in figures.items()
    )
