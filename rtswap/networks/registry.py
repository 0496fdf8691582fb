"""Return a verified local file for a model name; convert or download missing and damaged files.

The hashes are in the catalogue, not in the cache: a file in the cache is believed only if it has the catalogue's.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rtswap.core.errors import ModelError, NotInstalled, reason
from rtswap.core.files import make_writable, read_regular, sha256_of, write_cached
from rtswap.core.text import suggestion
from rtswap.core.user_folders import user_folder
from rtswap.networks.catalog import Entry, current_name, imported_models, load_catalog
from rtswap.networks.model_catalog import model_catalog


def cache_folder() -> Path:
    """Return the model cache folder: ``RTSWAP_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("RTSWAP_CACHE") or user_folder("cache"))


class Registry:
    """The models on this machine.

    ``accept`` is called before the first use of a model without a free licence. ``on_event`` receives slow operations
    and warnings. If ``folder`` is not writable, a temporary folder is used until ``close``.
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
        self._catalog = {**imported_models(), **load_catalog()} if catalog is None else catalog
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._made: dict[str, str] = {}
        """Model -> hash of a conversion that gives other bytes on this machine."""
        self.folder = self._writable(cache_folder() if folder is None else folder)

    def close(self) -> None:
        """Remove the temporary folder, if any. May be called twice."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def entry(self, name: str) -> Entry:
        """Return the entry of a model by its name or alias. Raises ModelError for an unknown name."""
        name = current_name(name, self._catalog)
        if name not in self._catalog and name in model_catalog().models:
            raise not_installed(name)
        if name not in self._catalog:
            raise ModelError(
                f"unknown model {name!r}",
                expected=" or ".join(sorted(self._catalog)),
                do=suggestion(name, self._catalog),
            )
        return self._catalog[name]

    def path(self, name: str) -> Path:
        """Return the path of the model's file, after verifying its hash. Raises ModelError."""
        entry = self.entry(name)
        if entry.asset:
            return _asset(entry)
        path = self.folder / entry.file_name
        if path.is_file():
            if _file_hash(path) == entry.sha256:
                return path
            self._on_event(
                f"the cached model {name} is damaged, {'downloading' if entry.url else 'converting'} it again"
            )
        if entry.url:
            self._download(entry, path)
        else:
            self._convert(entry, path)
        return path

    def read(self, name: str) -> tuple[Path, bytes]:
        """Return the path of the model's file and what was verified: another program that can write into the cache
        may replace the file afterwards. Raises ModelError."""
        entry = self.entry(name)
        path = entry.folder / entry.asset if entry.asset else self.folder / entry.file_name
        for again in (False, True):
            if again:
                self.path(name)  # makes the file, or says why there is none
            with suppress(OSError):
                content = read_regular(path)
                found = hashlib.sha256(content).hexdigest()
                if found == self._made.get(entry.name, entry.sha256 or found):
                    return path, content
        raise ModelError(f"the model {name} at {path} was changed while it was read", do="Start again.")

    def _writable(self, folder: Path) -> Path:
        try:
            make_writable(folder)
            return folder
        except OSError as error:
            self._on_event(
                f"the model cache {folder} is not writable ({reason(error)}); models are converted at every start. "
                "Set RTSWAP_CACHE to a writable folder"
            )
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="rtswap-models-")
        except OSError as error:
            raise ModelError(
                f"neither the model cache {folder} nor a temporary folder is writable",
                got=reason(error),
                do="Set RTSWAP_CACHE to a writable folder.",
            ) from error
        return Path(self._temporary.name)

    def _convert(self, entry: Entry, path: Path) -> None:
        """Convert the model. The converter verifies the weights, so a file that differs from the pinned one is used,
        but never again without being converted anew."""
        self._on_event(f"preparing {entry.title} (once)")
        content: bytes = importlib.import_module(f"rtswap.networks.{entry.converter}").convert(entry.part)
        if (made := hashlib.sha256(content).hexdigest()) != entry.sha256:
            self._made[entry.name] = made
            self._on_event(
                f"{entry.title}: the conversion gives other bytes on this machine, so it is repeated at each start"
            )
        _write(path, content)

    def _download(self, entry: Entry, path: Path) -> None:
        from rtswap.networks.download import download  # takes 50 ms to import and is rarely needed

        accepted = path.with_suffix(".accepted")
        if not (entry.is_free or accepted.exists()):
            if not self._accept(entry):
                raise ModelError(
                    f"the licence {entry.licence} of the model {entry.name} ({entry.title}) was not accepted",
                    do=f"Read it ({entry.origin or entry.url}) and accept it to use the model.",
                )
            _write(accepted, entry.licence.encode())
        download(entry, path, self._on_event)


def not_installed(name: str) -> NotInstalled:
    """The error for a known model that the user has not added."""
    known = model_catalog().models[name]
    pull = known.pack or name
    return NotInstalled(
        f"the model {name} ({known.title}) is not installed",
        do=f"Add your file: rtswap models add FILE, or download it: rtswap models pull {pull}",
    )


def _asset(entry: Entry) -> Path:
    path = entry.folder / entry.asset
    if not path.is_file() or (entry.sha256 and _file_hash(path) != entry.sha256):
        got = "a file with another hash" if path.is_file() else "no file"
        raise ModelError(
            f"the model {entry.name} at {path} is missing or damaged",
            got=got,
            do="Add it again: rtswap models add FILE" if entry.family else "Reinstall the package it belongs to.",
        )
    return path


def _file_hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}", got=reason(error)) from error


def _write(path: Path, content: bytes) -> None:
    write_cached(path, content, cache="the model cache", error=ModelError)
