"""Several videos in one run: a folder of videos, or a pattern such as ``clips/*.mp4``; each keeps its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path

from rtswap.app.config import Config
from rtswap.core.errors import UsageError
from rtswap.core.files import list_files, natural_key
from rtswap.core.urls import local_path, scheme
from rtswap.media.file_kinds import KINDS
from rtswap.media.output_names import IMAGE_SUFFIXES, OutputNames
from rtswap.vision.images import PICTURE_SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mts", ".flv", ".wmv", ".mpg", ".3gp")


def batch_of(config: Config) -> list[Config]:
    """Return a configuration for each file that the input stands for; empty if it is one input. Raises UsageError if
    nothing matches a pattern, or if the output is not one folder."""
    files = _files(config.input.address.strip())
    if not files:
        return []
    folder = _folder(config.output.to)
    if folder is None:
        raise UsageError(f"{len(files)} files as the input", expected="one folder as the output, as in -o out/")
    folder.mkdir(parents=True, exist_ok=True)
    names = OutputNames()
    return [
        replace(
            config,
            input=replace(config.input, address=str(file)),
            output=replace(config.output, to=(str(folder / _name(file, names)),)),
        )
        for file in files
    ]


def _folder(outputs: Sequence[str]) -> Path | None:
    if len(outputs) != 1 or scheme(outputs[0]) or outputs[0].partition(":")[0] in ("window", "null", "vcam"):
        return None
    folder = local_path(outputs[0])
    return folder if folder.is_dir() or not folder.suffix else None


def _files(address: str) -> Sequence[Path]:
    path = local_path(address)
    if not address or scheme(address) not in ("", "file"):
        return ()
    try:
        if path.is_dir():
            return () if list_files(path, PICTURE_SUFFIXES) else list_files(path, VIDEO_SUFFIXES)
        if path.exists() or not any(sign in path.name for sign in "*?["):
            return ()
    except (OSError, ValueError):
        return ()
    wanted = (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES)
    found = [Path(name) for name in glob(str(path)) if name.lower().endswith(wanted)]
    if not found:
        raise UsageError(f"no video or picture matches {address[:200]!r}", do="Check the pattern.")
    return sorted(found, key=natural_key)


def _name(file: Path, names: OutputNames) -> str:
    """Return the name of a file's output; what rtswap does not write becomes ``.mp4`` or ``.png``."""
    other = ".png" if file.suffix.lower() in PICTURE_SUFFIXES else ".mp4"
    return names.name(file, kept=(*KINDS, *IMAGE_SUFFIXES), other=other)
