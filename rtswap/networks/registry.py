"""Name -> verified local file. What is missing or damaged is made or fetched again."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import platformdirs

from rtswap.core.errors import ModelError, reason
from rtswap.core.files import make_writable, sha256_of, write_cached
from rtswap.core.text import nearest
from rtswap.networks.catalog import Entry, current_name, shipped_catalog


def cache_folder() -> Path:
    """Where models are kept: ``RTSWAP_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("RTSWAP_CACHE") or platformdirs.user_cache_dir("rtswap"))


class Registry:
    """The models of one machine.

    ``accept`` is asked before a model that is not freely licensed is used for the first time. ``on_event`` hears what
    takes long or went wrong without ending anything. When ``folder`` cannot be written, a temporary one serves until
    the registry is gone.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        accept: Callable[[Entry], bool] = lambda entry: False,
        on_event: Callable[[str], None] = lambda event: None,
        catalog: Mapping[str, Entry] | None = None,
    ) -> None:
        self._accept, self._on_event = accept, on_event
        self._catalog = shipped_catalog() if catalog is None else catalog
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.folder = self._writable(cache_folder() if folder is None else folder)

    def close(self) -> None:
        """Remove the temporary folder, if there was one. Harmless when called twice."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def entry(self, name: str) -> Entry:
        """By its name or a former one. Raises ModelError when there is no such model."""
        name = current_name(name, self._catalog)
        if name not in self._catalog:
            near = nearest(name, self._catalog)
            raise ModelError(
                f"there is no model {name!r}",
                expected=" or ".join(sorted(self._catalog)),
                do=f"Did you mean {near}?" if near else "",
            )
        return self._catalog[name]

    def path(self, name: str) -> Path:
        """The model's file, checked by its hash in this call. Raises ModelError."""
        entry = self.entry(name)
        if entry.asset:
            return _asset(entry)
        path = self.folder / entry.file_name
        wanted = entry.sha256 or _recorded_hash(path)
        if path.is_file():
            if wanted and _file_hash(path) == wanted:
                return path
            self._on_event(
                f"the model {name} in the cache is damaged: {'fetching' if entry.url else 'making'} it again"
            )
        if entry.url:
            self._download(entry, path)
        else:
            self._convert(entry, path)
        return path

    def _writable(self, folder: Path) -> Path:
        try:
            make_writable(folder)
            return folder
        except OSError as error:
            self._on_event(
                f"the model cache {folder} cannot be written ({reason(error)}); models are made anew at each start. "
                "Set RTSWAP_CACHE to a folder that can"
            )
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="rtswap-models-")
        except OSError as error:
            raise ModelError(
                f"neither the model cache {folder} nor a temporary folder can be written",
                got=str(error),
                do="Set RTSWAP_CACHE to a folder that can.",
            ) from error
        return Path(self._temporary.name)

    def _convert(self, entry: Entry, path: Path) -> None:
        """Make the file here and record its hash beside it."""
        self._on_event(f"preparing {entry.title} (once)")
        content: bytes = importlib.import_module(f"rtswap.networks.{entry.converter}").convert(entry.part)
        record = {"sha256": hashlib.sha256(content).hexdigest(), "licence": entry.licence, "origin": entry.origin}
        _write(path, content)
        _write(_record_path(path), json.dumps(record, indent=1).encode())

    def _download(self, entry: Entry, path: Path) -> None:
        from rtswap.networks.download import download  # networking costs 50 ms to import and is seldom needed

        accepted = path.with_suffix(".accepted")
        if not (entry.is_free or accepted.exists()):
            if not self._accept(entry):
                raise ModelError(
                    f"the licence {entry.licence} of the model {entry.name} ({entry.title}) was not accepted",
                    do=f"Read it ({entry.origin or entry.url}) and accept it to use the model.",
                )
            _write(accepted, entry.licence.encode())
        download(entry, path, self._on_event)


def _asset(entry: Entry) -> Path:
    path = Path(str(resources.files("rtswap").joinpath("assets", entry.asset)))
    if not path.is_file() or (entry.sha256 and _file_hash(path) != entry.sha256):
        got = "another file" if path.is_file() else "nothing there"
        raise ModelError(
            f"the model {entry.name} should have come with rtswap at {path}", got=got, do="Install rtswap again."
        )
    return path


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _recorded_hash(path: Path) -> str:
    """The hash written down when the file was made; empty where there is none to be read."""
    try:
        record = json.loads(_record_path(path).read_text("utf-8"))
        return str(record["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _file_hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read", got=str(error)) from error


def _write(path: Path, content: bytes) -> None:
    write_cached(path, content, cache="the model cache", error=ModelError)
