"""Format the summary of a run: outputs, faces and speed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.reports.table import table
from rtswap.core.errors import RtswapError
from rtswap.core.text import duration, plural, size
from rtswap.media.output_names import IMAGE_SUFFIXES, manifest_beside
from rtswap.runtime.guard import Reason

WIDTH = 80
MORE = "More: --stats."
_OTHERS = {Reason.OTHERS.value, Reason.DOUBT.value}
"""Why somebody is covered who was not to be swapped."""


def run_summary(result: Mapping[str, Any], *, stats: bool) -> Sequence[Shown]:
    """Return the lines for ``Console.summary``. ``result`` is what ``rtswap.app.run.run`` returns."""
    if not result["frames"]:
        return ["No frames were processed."]
    lines = [_outputs(result), _faces(result), _speed(result)]
    if not stats:
        lines[-1] += f" {MORE}"
    if result.get("unmarked"):
        lines.append(f"Unmarked: {result['unmarked']}")
    return [*lines, *_reasons(result), stages_table(result)] if stats else lines


def stages_table(result: Mapping[str, Any]) -> Shown:
    """Return a table of percentiles of frame age and of every stage. ``result``: from ``Metrics.summary``."""
    columns = ("p50", "p95", "p99", "mean", "max")
    rows = {"frame age": result["frame_age_ms"], **result["stages_ms"]}
    return table(
        ("milliseconds", *(f">{name}" for name in columns)),
        [[name, *(f"{of[column]:.1f}" for column in columns)] for name, of in rows.items() if of],
    )


def _outputs(result: Mapping[str, Any]) -> str:
    """``Wrote clip.mp4 (8.5 s, 3.2 MB). Sent to window for 9.1 s.``"""
    names = [*result["outputs"], *result.get("recorded", ())]
    written = [words for name in names if (words := _file(Path(name), result["frames"]))]
    others = [name for name in result["outputs"] if not _file(Path(name), result["frames"])]
    said = [f"Wrote {', '.join(written)}."] if written else []
    if others:
        said.append(f"Sent to {', '.join(others)} for {duration(result['duration_s'])}.")
    return " ".join(said)


def _file(path: Path, frames: int) -> str:
    """Return the path with length, size and manifest; empty if it is not a file."""
    if _holds_pictures(path):
        return f"{path} ({plural(frames, 'picture')})"
    if not path.is_file():
        return ""
    facts = [_length(path), size(path.stat().st_size)]
    beside = manifest_beside(path)
    if beside is not None and beside.is_file():
        facts.append(f"manifest in {beside.name}")
    return f"{path} ({', '.join(fact for fact in facts if fact)})"


def _holds_pictures(path: Path) -> bool:
    """Whether an output is a folder, or a picture for each frame."""
    return path.is_dir() or ("%" in path.name and not path.is_file())


def _length(path: Path) -> str:
    """How long the file plays: its sound may be longer than its pictures."""
    from rtswap.media.inputs.video import VideoFile

    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ""
    try:
        video = VideoFile(path)
    except RtswapError:
        return ""
    length_s = video.file_s if video.info.frame_count != 1 else 0.0
    video.close()
    return duration(length_s) if length_s else ""


def _faces(result: Mapping[str, Any]) -> str:
    """``Faces: swapped in 240 of 255 frames, covered in 10, none in 5.``"""
    frames, swapped = result["frames"], result["frames_with_swap"]
    noun = "picture" if any(_holds_pictures(Path(name)) for name in result["outputs"]) else "frame"
    left_out = len(result.get("not_written", ()))
    if frames == 1 and swapped and not left_out:
        return f"Faces: {result['faces']} swapped{', others covered' if result['frames_covered'] else ''}."
    if swapped == frames:
        said = [f"swapped in all {plural(frames, noun)}"]
    else:
        said = [f"swapped in {swapped:,} of {plural(frames, noun)}" if swapped else "none swapped"]
    why = [*result["frames_covered_because"]]
    most = f" ({'mostly ' if why[1:] else ''}{why[0]})" if why else ""
    covered = "others covered in" if swapped == frames else "covered in"
    if swapped == frames and not _OTHERS.issuperset(why):
        covered = "others covered or the picture held in"
    for count, words, of in ((result["frames_covered"], covered, most), (result["frames_plain"], "no face in", "")):
        said += [f"{words} {count:,}{of}"] if count else []
    said += [f"{plural(left_out, 'picture')} without a swap not written"] if left_out else []
    return f"Faces: {', '.join(said)}."


def _reasons(result: Mapping[str, Any]) -> list[str]:
    """``Covered: face lost in 10, someone else or what looks like a head in 3.``, on as many lines as that takes."""
    why = [f"{reason} in {count:,}" for reason, count in result["frames_covered_because"].items()]
    return textwrap.wrap(f"Covered: {', '.join(why)}.", WIDTH) if why else []


def _speed(result: Mapping[str, Any]) -> str:
    age, started = result["frame_age_ms"], result["start_to_first_swap_s"]
    if result["live"] and age:
        dropped = f", {result['dropped']:,} dropped" if result["dropped"] else ""
        ages = f"{age['p50']:.0f} ms old (95 % under {age['p95']:.0f} ms)"
        return f"Speed: {result['fps']:.1f} fps, {ages}{dropped}."
    if result["frames"] > 1:
        return f"Speed: {result['fps']:.1f} fps, {duration(result['duration_s'])} in all."
    return f"Speed: done {duration(started)} after the start." if started is not None else "Speed: one frame."
