"""Several files in one run: a folder in which anything moves, or a pattern such as ``clips/*.mp4``; each keeps its
name, as does one film whose output is a folder. A folder or pattern of still pictures alone is one input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path

from rtswap.app.config import Config
from rtswap.app.io_sections import OutputConfig
from rtswap.app.overwriting import files_written_by, refuse
from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.files import list_files, natural_key
from rtswap.core.urls import local_path, scheme, trimmed
from rtswap.media.file_kinds import KINDS, VIDEO_SUFFIXES, holds
from rtswap.media.inputs.animation import ANIMATED_SUFFIXES, is_animated
from rtswap.media.output_names import IMAGE_SUFFIXES, NUMBER, OutputNames, is_folder
from rtswap.media.outputs import with_prefix
from rtswap.vision.foreign_pictures import say_passed_over
from rtswap.vision.images import PICTURE_SUFFIXES
from rtswap.vision.picture_kinds import is_picture

_ANIMATIONS = (".gif", ".apng")


def batch_of(config: Config, given: Sequence[str] = ()) -> list[Config]:
    """Return a configuration for each file: of those ``given``, or those that the input stands for; empty if it is
    one input that needs no new name. Raises UsageError if nothing matches a pattern, if the output is not one folder,
    or if a file in it would replace one of the inputs, OutputError if the folder cannot be created."""
    folder, address = _folder(config.output.to), trimmed(config.input.address)
    files = (
        [Path(file) for file in given]
        or _files(address)
        or (_one_film(address) if folder and _is_meant(config.output.to[0]) else [])
    )
    if not files:
        return []
    if folder is None:
        raise UsageError(f"{len(files)} files as the input", expected="one folder as the output, as in -o out/")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        do = "Choose another folder for the output."
        raise OutputError(f"cannot create the folder {folder}", got=reason(error), do=do) from None
    names = OutputNames()
    outputs = [_in_place(folder / _name(file, names, config.output.codec)) for file in files]
    written = [one for output in outputs for one in files_written_by(output)]
    refuse([(str(file), "one of the inputs") for file in files], written)
    return [
        replace(config, input=replace(config.input, address=_in_place(file)), output=_output(config.output, output))
        for file, output in zip(files, outputs, strict=True)
    ]


def passed_over(config: Config) -> str:
    """What of a folder with videos is no part of its batch, as a message; empty for nothing, and for other inputs."""
    folder = local_path(config.input.address)
    films = _files(trimmed(config.input.address))
    return say_passed_over(folder, VIDEO_SUFFIXES | PICTURE_SUFFIXES) if films and folder.is_dir() else ""


def _in_place(file: Path) -> str:
    """The address of a file, which nothing takes for its own: ``./vcam:a.mp4`` is no virtual camera."""
    return os.path.join(file.parent, file.name) if ":" in file.name else str(file)


def _output(wanted: OutputConfig, address: str) -> OutputConfig:
    """``--codec``, ``--crf`` and ``--bitrate`` are for the videos among the files, not for animations."""
    if address.lower().endswith(_ANIMATIONS):
        return replace(wanted, to=(address,), codec=OutputConfig().codec, crf=None, bitrate=None)
    return replace(wanted, to=(address,))


def _folder(outputs: Sequence[str]) -> Path | None:
    if len(outputs) != 1 or scheme(outputs[0]) or outputs[0].partition(":")[0] in ("window", "null", "vcam"):
        return None
    if with_prefix(outputs[0]) is not None or outputs[0].strip() == "-":
        return None
    return local_path(outputs[0]) if is_folder(outputs[0]) else None


def _files(address: str) -> Sequence[Path]:
    path = local_path(address)
    wanted = tuple(VIDEO_SUFFIXES | PICTURE_SUFFIXES)
    if not address or scheme(address) not in ("", "file"):
        return ()
    try:
        if path.is_dir():
            found = list_files(path, wanted)
            return found if any(_moves(file) for file in found) else ()
        if path.exists() or not any(sign in path.name for sign in "*?["):
            return ()
    except (OSError, ValueError):
        return ()
    found = [Path(name) for name in glob(str(path)) if name.lower().endswith(wanted)]
    if not found:
        raise UsageError(f"no video or picture matches {address[:200]!r}", do="Check the pattern.")
    return sorted(found, key=natural_key) if any(_moves(file) for file in found) else ()


def _is_meant(folder: str) -> bool:
    """Whether a folder is meant, and no suffix was forgotten."""
    return folder.endswith(("/", "\\")) or os.path.isdir(local_path(folder))


def _one_film(address: str) -> list[Path]:
    """The film at an address: ``clips/*.mp4`` may stand for one, as for several."""
    try:
        path = local_path(address)
        found = address and scheme(address) in ("", "file") and path.is_file() and _moves(path)
    except (OSError, ValueError):
        return []
    return [path] if found else []


def _moves(file: Path) -> bool:
    """Whether a file is a video or an animated picture."""
    suffix = file.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return suffix in ANIMATED_SUFFIXES and is_animated(file)
    return suffix in VIDEO_SUFFIXES or not is_picture(file)


def _name(file: Path, names: OutputNames, codec: str) -> str:
    """Return the name of a file's output; what rtswap does not write becomes ``.mp4`` or ``.png``. A video whose kind
    does not hold ``codec`` becomes ``.mp4``. In the name of a picture ``%d`` would be its number."""
    if _moves(file):
        kept = [suffix for suffix in KINDS if suffix in _ANIMATIONS or holds(suffix, codec)]
        return names.name(file, kept=kept, other=".mp4")
    plain = file.with_name(NUMBER.sub(lambda found: "_" + found[0][1:], file.name))
    return names.name(plain, kept=IMAGE_SUFFIXES, other=".png")
