"""One-shot systems as files: ``NAME.rtswap``, a zip of ONNX graphs that ``rtswap train`` writes.

The first graph runs in each frame, ``bind`` once per source. What they have in common is told by each graph's
metadata; what they are given and answer, by their names of inputs and outputs (``swappers.one_shot``):

- ``bind``: ``photo`` (1, S, S, 3) uint8, ``embedding`` (1, 128) float32 and ``photo_points`` (1, 468, 3) float32 px
  -> tensors that describe the source, under any names
- the first: ``face`` (1, S, S, 3) uint8, ``points`` (1, 468, 3) float32 px, ``warped`` (1, S, S, 3) uint8 (the face
  with the swap of ``mesh``), and what ``bind`` answers -> ``swapped`` (1, S, S, 3) float32 0..255 and ``mask``
  (1, S, S) float32 0..255

A graph takes those that it needs. Pictures are BGR.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from rtswap.core.errors import ModelError, reason
from rtswap.core.zip_files import open_zip
from rtswap.networks.model_file import Signature, read_signature
from rtswap.vision.templates import TEMPLATES

SUFFIX, OURS = ".rtswap", "a file that rtswap train wrote"
BIND = "bind"
MOST_GRAPHS = 8
MOST_BYTES = 2**31
"""Of one graph."""
_CHUNK = 1 << 20
MOST_PORTS, MOST_SIDE = 64, 1024
"""Inputs, and outputs, of a graph; the side of its pictures in px."""
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""Names of systems and their parts, which become names of networks."""
_NAME_LETTERS = 80
_SIDE = 0
"""In a shape: the side of the graph's pictures."""
FORMS: Mapping[str, tuple[str, tuple[int, ...]]] = MappingProxyType(
    dict.fromkeys(("face", "photo", "warped", "view", "target"), ("uint8", (1, _SIDE, _SIDE, 3)))
    | dict.fromkeys(("hole", "mask"), ("uint8", (1, _SIDE, _SIDE)))
    | dict.fromkeys(("points", "photo_points", "view_points"), ("float32", (1, 468, 3)))
    | {"embedding": ("float32", (1, 128))}
)
"""Type and shape of the inputs that are given to every graph that has them."""


@dataclass(frozen=True, slots=True)
class SystemFile:
    """What one file holds."""

    system: str
    """Which recipe trained it."""
    template: str
    """Placement of the face in a crop, by its name in ``vision.templates``."""
    graphs: Mapping[str, Signature]
    """Part -> its graph's inputs and outputs, the first being run in each frame."""


def is_system_file(path: Path) -> bool:
    """Whether a file's name says that it is one."""
    return path.suffix.lower() == SUFFIX


def read_system(path: Path, folder: Path) -> SystemFile:
    """Unpack the graphs of a file into ``folder``, as ``PART.onnx``, and check them. Raises ModelError, in one line,
    for a file that is damaged, hostile or something else."""
    graphs: dict[str, Signature] = {}
    try:
        with open_zip(path) as pack:
            items = pack.infolist()
            if not 0 < len(items) <= MOST_GRAPHS:
                raise _refused(path, f"{len(items)} files in it")
            for item in items:
                part = Path(item.filename).stem
                if item.filename != f"{part}.onnx" or not _WORD.fullmatch(part) or part in graphs:
                    raise _refused(path, f"a file {item.filename[:80]!r} in it")
                if item.file_size >= MOST_BYTES or item.compress_type != zipfile.ZIP_STORED:
                    raise _refused(path, f"{item.filename} is compressed or larger than 2 GB")
                to = folder / item.filename
                with pack.open(item) as source, to.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
                graphs[part] = read_signature(to)
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot read {path}", expected=OURS, got=reason(error)) from None
    said = {(graph.system, graph.template) for graph in graphs.values()}
    system, template = next(iter(said))
    if len(said) > 1 or not _WORD.fullmatch(system) or template not in TEMPLATES:
        raise _refused(path, "graphs without the name of their system")
    if any(graph.part != part for part, graph in graphs.items()):
        raise _refused(path, "graphs whose names differ from their file names")
    for part, graph in graphs.items():
        if why := _why_unfit(graph):
            raise _refused(path, f"the graph {part} with {why}")
    return SystemFile(system, template, graphs)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file's first graph, by which it is known when it was added; empty if there is none, or one that
    is compressed. Raises OSError."""
    try:
        with open_zip(path) as pack:
            items = pack.infolist()
            if not items or items[0].compress_type != zipfile.ZIP_STORED:
                return ""
            with pack.open(items[0]) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except zipfile.BadZipFile:
        return ""


def _why_unfit(graph: Signature) -> str:
    """Why a graph cannot be given what it asks for, in a few words; empty if it can."""
    ports = *graph.inputs, *graph.outputs
    if not graph.inputs or any(length < 1 for port in graph.inputs for length in port.shape):
        return "inputs of any size, or none"
    if max(len(graph.inputs), len(graph.outputs)) > MOST_PORTS:
        return f"more than {MOST_PORTS} inputs or outputs"
    if any(len(port.name) > _NAME_LETTERS for port in ports):
        return f"a name of more than {_NAME_LETTERS} letters"
    sides = {port.shape[1:2] for port in graph.inputs if _SIDE in FORMS.get(port.name, ("", ()))[1]}
    if len(sides) > 1 or not all(side and side[0] <= MOST_SIDE for side in sides):
        return f"pictures of several sizes, or larger than {MOST_SIDE} px"
    for port in graph.inputs:
        dtype, shape = FORMS.get(port.name, (port.dtype, port.shape))
        wanted = tuple(next(iter(sides))[0] if length == _SIDE else length for length in shape)
        if (port.dtype, port.shape) != (dtype, wanted):
            return f"an input {port}, expected {dtype} {'x'.join(map(str, wanted))}"
    return ""


def _refused(path: Path, got: str) -> ModelError:
    return ModelError(f"{path} is refused", expected=OURS, got=got)
