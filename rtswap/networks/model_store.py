"""The user's imported models: add a file, a folder or a pack, remove and verify. Nothing here touches the network.

Each model is a folder of its own (``core.model_rows``): the file as it was given, and the row that says how it is
run. It is written beside the others and moved into place when it is complete.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.core.errors import ModelError, reason
from rtswap.core.files import sha256_of
from rtswap.core.model_rows import ONE_SHOT, forget_model_rows, models_folder
from rtswap.core.network_rows import FILE
from rtswap.core.text import size, toml_text
from rtswap.core.zip_files import open_zip
from rtswap.engines.contract import read_model_file
from rtswap.networks.catalog import load_catalog
from rtswap.networks.installed_models import LATENT, Installed, list_installed
from rtswap.networks.model_catalog import Family, model_catalog
from rtswap.networks.model_file import Port, Signature, read_signature, signature_of
from rtswap.networks.model_kinds import Recognised, plain, recognise
from rtswap.networks.onnx_graph import Graph
from rtswap.networks.system_file import BIND, is_system_file, read_system
from rtswap.vision.templates import TEMPLATES

SUFFIXES = (".onnx", ".dfm")
RESERVED = frozenset({"mesh", "mtcnn", "none", "left", "right", "largest"})
USUAL_SIDE = 640
"""Side of a detector's picture when engines are compared."""
_CHUNK = 1 << 20
_MOST_BYTES = 2**31
MOST_IN_PACK = 100
"""Files of models in a folder or a zip file."""
MOST_GROWTH = 20
"""A file in a zip file may be so many times larger than what it is packed into: weights shrink by a tenth at most."""
Event = Callable[[str], None]
Confirm = Callable[[Path], None]
"""Asks for the consent of the person whose face a file's weights carry. Raises UsageError."""


def remove(name: str) -> Installed:
    """Delete a model. Raises ModelError if there is none of that name, or it cannot be deleted."""
    model = next((model for model in list_installed() if model.name == name), None)
    if model is None:
        names = ", ".join(model.name for model in list_installed())
        raise ModelError(f"no imported model {name!r}", expected=names, do="" if names else "None is installed.")
    try:
        shutil.rmtree(model.folder)
    except OSError as error:
        raise ModelError(f"cannot remove {model.folder}", got=reason(error)) from None
    forget_model_rows()
    return model


def add(
    path: Path,
    *,
    kind: str = "",
    name: str = "",
    origin: str = "",
    confirm: Confirm = lambda path: None,
    on_event: Event = lambda event: None,
) -> list[Installed]:
    """Add a file, or the usable files of a folder or a zip file, and return them. ``kind``: a family or a known
    model, where inputs and outputs fit several; ``name``: what to call it; ``origin``: where it came from. Raises
    ModelError."""
    if is_system_file(path):
        added = [_add_system(path, name, origin or str(path.absolute()), on_event)]
    elif path.is_dir() or (path.is_file() and zipfile.is_zipfile(path)):
        added = list(_add_several(path, origin, confirm, on_event))
        if not added:
            raise ModelError(f"no model in {path} that rtswap can use", expected="ONNX or DFM files")
    else:
        added = [_add_file(path, kind, name, origin or str(path.absolute()), confirm, on_event)]
    forget_model_rows()
    names = {model for model, _ in added}
    return [model for model in list_installed() if model.name in names]


def _add_several(path: Path, origin: str, confirm: Confirm, on_event: Event) -> Iterator[tuple[str, str]]:
    """Yield the added models; report the others."""
    with tempfile.TemporaryDirectory(prefix="rtswap-pack-") as unpacked:
        files = _files_in(path) if path.is_dir() else _unpack(path, Path(unpacked))
        for file in files:
            try:
                yield _add_file(file, "", "", origin or str(path.absolute()), confirm, on_event)
            except ModelError as error:
                on_event(f"left out: {error}")


def _files_in(folder: Path) -> list[Path]:
    try:
        found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    except OSError as error:
        raise ModelError(f"cannot read the folder {folder}", got=reason(error)) from None
    _refuse_many(folder, len(found))
    return found


def _refuse_many(path: Path, count: int) -> None:
    if count > MOST_IN_PACK:
        do = "Add those that you need one by one."
        raise ModelError(f"{path} is refused", expected=f"at most {MOST_IN_PACK} models", got=str(count), do=do)


def _unpack(path: Path, folder: Path) -> Iterator[Path]:
    """Write each model of a zip file into ``folder``, under its bare name, one at a time."""
    try:
        with open_zip(path) as pack:
            items = [item for item in pack.infolist() if Path(item.filename).suffix.lower() in SUFFIXES]
            _refuse_many(path, len(items))
            for item in items:
                name = Path(item.filename).name
                if item.file_size >= _MOST_BYTES:
                    continue
                to = folder / name
                if item.file_size > MOST_GROWTH * max(1, item.compress_size):
                    raise ModelError(
                        f"{path} is refused",
                        expected="models",
                        got=f"{name}, a file that grows {item.file_size // max(1, item.compress_size)} times",
                    )
                with pack.open(item) as source, to.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
                yield to
                to.unlink()
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot read the pack {path}", got=reason(error)) from None


def _add_file(path: Path, kind: str, name: str, origin: str, confirm: Confirm, on_event: Event) -> tuple[str, str]:
    """Add one file; returns its name and family."""
    content = read_model_file(path)  # once: what was checked is what is added
    sha256, signature = hashlib.sha256(content).hexdigest(), signature_of(content, path)
    found = recognise(path, sha256, signature, model_catalog(), kind)
    name = plain(name) or (found.known.name if found.known else plain(path.stem))
    _check_name(name)
    if found.family.name == "dfm":
        confirm(path)

    def fill(folder: Path) -> dict[str, dict[str, Any]]:
        (folder / f"{name}.onnx").write_bytes(content)
        return {name: _row(name, found, signature, sha256, origin), **_latent_row(name, found, signature, folder)}

    _install(name, size(len(content)), fill)
    pinned = "its hash is the published one" if found.published else "no published hash; this one is pinned"
    licence = found.known.licence if found.known else "unknown; see the page that you downloaded it from"
    on_event(f"{name}: {found.family.title}, {pinned}; licence: {licence}")
    return name, found.family.name


def _add_system(path: Path, name: str, origin: str, on_event: Event) -> tuple[str, str]:
    """Add a one-shot system; returns its name and family."""
    name = plain(name) or plain(path.stem)
    _check_name(name)

    def fill(folder: Path) -> dict[str, dict[str, Any]]:
        found = read_system(path, folder)
        rows: dict[str, dict[str, Any]] = {}
        for number, (part, signature) in enumerate(found.graphs.items()):
            row = name if number == 0 else f"{name}-{part}"
            (folder / f"{part}.onnx").rename(folder / f"{row}.onnx")
            rows[row] = {
                "title": f"{found.system} {name}" if number == 0 else f"{part} of {found.system} {name}",
                "licence": "as its training data allow",
                "origin": origin,
                "asset": f"{row}.onnx",
                "sha256": sha256_of(folder / f"{row}.onnx"),
                "pinned": "first use",
                "family": ONE_SHOT if number == 0 else "",
                "system": found.system,
                "template": found.template,
                "sample": {port.name: _sample(port) for port in signature.inputs},
                "outputs": [port.name for port in signature.outputs],
                "batches": False,
                "per_frame": 0.001 if part == BIND else 1.0,
                "profile": {"batch": [1, 1, 1]},
            }
        return rows

    _install(name, size(path.stat().st_size) if path.is_file() else "0 bytes", fill)
    on_event(f"{name}: a one-shot system that rtswap train wrote; its hash is pinned")
    return name, ONE_SHOT


def _install(name: str, large: str, fill: Callable[[Path], Mapping[str, Mapping[str, Any]]]) -> None:
    """Have a new model's folder filled, and move it into place. ``fill`` returns its rows. Raises ModelError."""
    root = models_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=root) as temporary:
            folder = Path(temporary) / name
            folder.mkdir()
            (folder / FILE).write_text(to_toml(fill(folder)), "utf-8")
            folder.replace(root / name)
    except OSError as error:
        raise ModelError(
            f"cannot write the model {name} ({large}) to {root}",
            got=reason(error),
            do="Free some disk space, or set RTSWAP_MODELS to another folder.",
        ) from None


def examine(path: Path) -> None:
    """Read a file that is to be added. Raises ModelError if it is damaged, hostile or something else."""
    if is_system_file(path):
        with tempfile.TemporaryDirectory(prefix="rtswap-system-") as unpacked:
            read_system(path, Path(unpacked))
    else:
        read_signature(path)


def _check_name(name: str) -> None:
    taken = name in load_catalog() or name in RESERVED or name.endswith(LATENT)
    if taken or not name or name.startswith("."):
        raise ModelError(f"the name {name!r} is reserved by rtswap", do="Choose another: --name NAME")
    if (models_folder() / name).exists():
        raise ModelError(
            f"a model {name} is already installed", do=f"Remove it first: rtswap models remove {name}, or add --name"
        )


def _row(name: str, found: Recognised, signature: Signature, sha256: str, origin: str) -> dict[str, Any]:
    """The row of ``networks.toml``: how the file is run."""
    family, known = found.family, found.known
    outputs = [port.name for port in signature.outputs]
    batches = all(port.shape[:1] == (-1,) or port.shape in ((), (1,)) for port in signature.inputs)
    return {
        "title": known.title if known else f"{family.title} {name}",
        "licence": known.licence if known else "unknown",
        "origin": origin,
        "asset": f"{name}.onnx",
        "sha256": sha256,
        "pinned": "published" if found.published else "first use",
        "family": family.name,
        "known": known.name if known else "",
        "template": signature.template if signature.template in TEMPLATES else "",
        "sample": {port.name: _sample(port) for port in signature.inputs},
        "outputs": outputs,
        "batches": batches,
        "fixed_size": all(side > 0 for side in signature.inputs[0].shape[2:]),
        "per_frame": 1.0 if family.kind in ("swapper", "masker") else 0.1,
        "profile": _profile(family, batches, outputs),
    }


def _profile(family: Family, batches: bool, outputs: list[str]) -> dict[str, Any]:
    profile: dict[str, Any] = {"batch": [1, 4, 16] if batches else [1, 1, 1]}
    if family.kind == "detector":
        return {**profile, "side": [64, USUAL_SIDE, 1280], "precision": "fp32"}
    if family.kind in ("swapper", "enhancer"):
        return {**profile, "half": {outputs[family.picture]: 0.05}}
    return profile


def _sample(port: Port) -> str:
    """Type and usual shape: one picture; of a detector one of 640 px."""
    sides = [1 if at == 0 else USUAL_SIDE for at in range(len(port.shape))]
    lengths = [length if length > 0 else side for length, side in zip(port.shape, sides, strict=True)]
    return f"{port.dtype} {'x'.join(map(str, lengths))}".strip()


def _latent_row(name: str, found: Recognised, signature: Signature, folder: Path) -> dict[str, Any]:
    """The network that maps an embedding to the latent, for a family with an ``emap``."""
    if not found.family.emap or signature.last_weight is None:
        return {}
    graph = Graph("latent")
    graph.add("MatMul", "input", graph.constant(np.asarray(signature.last_weight, np.float32)), to="output")
    shape: list[int | str] = ["n", 512]
    content = graph.serialise({"input": shape}, {"output": shape}, {"made_from": name}, pixels=False)
    (folder / f"{name}{LATENT}.onnx").write_bytes(content)
    return {
        f"{name}{LATENT}": {
            "title": f"the map from an embedding to the latent of {name}",
            "licence": found.known.licence if found.known else "unknown",
            "asset": f"{name}{LATENT}.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "family": "crossface",
            "sample": {"input": "float32 1x512"},
            "outputs": ["output"],
            "per_frame": 0.001,
        }
    }


def to_toml(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write tables whose values are texts, numbers, lists and one level of tables."""
    lines = []
    for name, row in rows.items():
        lines.append(f"[{_value(name)}]")
        lines += [f"{key} = {_value(value)}" for key, value in row.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_value(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):  # names of files may be no UTF-8
        return toml_text(value.encode("utf-8", "backslashreplace").decode())
    return repr(value)
