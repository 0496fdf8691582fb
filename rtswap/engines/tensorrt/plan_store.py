"""The cache folder of TensorRT plans: written atomically, verified by their manifests when read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rtswap.core.errors import EngineError, reason
from rtswap.core.files import make_private, others_can_write, read_regular, write_cached
from rtswap.engines.tensorrt.plan import Manifest, manifest_from_json, manifest_to_json


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """One plan in the folder, for reports."""

    path: Path
    bytes: int
    manifest: Manifest | None
    """None if it is missing or unreadable."""


class PlanCache:
    """The cached plans of this machine. ``folder`` is created on the first write, for this user alone: the GPU runs
    whatever it holds, so nothing is read from one into which others can write."""

    def __init__(self, folder: Path, *, on_event: Callable[[str], None] = lambda event: None) -> None:
        self.folder, self._on_event = folder, on_event

    def find(self, network: str, key: str) -> tuple[bytes, Manifest] | None:
        """Return the plan for ``key``, or None. Reports to ``on_event`` why an existing plan is rejected."""
        path = self._path(network, key)
        if not path.exists():
            return None
        try:
            if others_can_write(self.folder):
                raise EngineError(
                    f"other users can write into {self.folder}, so nothing in it is used until you remove it"
                )
            return read_plan(path, key)
        except EngineError as error:
            self._on_event(f"{error}. Rebuilding it")
            return None

    def put(self, plan: bytes, manifest: Manifest) -> Path:
        """Store a plan and delete the ones of the same network that it replaces. Returns its path. Raises
        EngineError."""
        path = self._path(manifest.network, manifest.key)
        with suppress(OSError):  # then it is written, and not read
            make_private(self.folder)
        with suppress(OSError):  # a plan without a manifest is never loaded
            path.with_suffix(".json").unlink()
        for file, content in ((path, plan), (path.with_suffix(".json"), manifest_to_json(manifest).encode())):
            write_cached(file, content, cache="the plan cache", error=EngineError)
        self._remove_older(path, manifest)
        return path

    def stored(self) -> Iterator[StoredPlan]:
        """Yield every plan in the folder, sorted by name. Only checks that the manifest can be read."""
        for path in sorted(self.folder.glob("*.plan")):
            try:
                size = path.stat().st_size
                manifest: Manifest | None = _manifest_of(path)
            except (OSError, ValueError):
                size, manifest = path.stat().st_size if path.exists() else 0, None
            yield StoredPlan(path, size, manifest)

    def kernels_file(self, network: str, key: str, card: str) -> Path | None:
        """Return the path of the kernels that TensorRT for RTX compiled for a plan on a GPU; None where others can
        write."""
        if others_can_write(self.folder):
            return None
        return self.folder / f"{_plain(network)}-{key[:20]}-{_plain(card)}.kernels"

    def _path(self, network: str, key: str) -> Path:
        return self.folder / f"{_plain(network)}-{key[:20]}.plan"

    def _remove_older(self, kept: Path, manifest: Manifest) -> None:
        """Delete plans of the same recipe from another TensorRT version or another version of the network's file."""
        for other in self.stored():
            found = other.manifest
            if found is None or other.path == kept or found.network != manifest.network:
                continue
            if (found.module, found.recipe, found.card) == (manifest.module, manifest.recipe, manifest.card):
                for file in self.folder.glob(f"{other.path.stem}*"):
                    file.unlink(missing_ok=True)


def plan_folder(cache_folder: Path) -> Path:
    """Return the folder of plans inside the model cache."""
    return cache_folder / "plans"


def _manifest_of(plan: Path) -> Manifest:
    """What is written beside a plan. Raises OSError, ValueError."""
    return manifest_from_json(read_regular(plan.with_suffix(".json")).decode())


def read_plan(path: Path, key: str) -> tuple[bytes, Manifest]:
    """Read a plan and verify it against its manifest and ``key``. Raises EngineError with the reason if it is
    invalid."""
    what = f"the plan {path}"
    try:
        manifest = _manifest_of(path)
    except OSError as error:
        raise EngineError(f"{what} has no manifest") from error
    except ValueError as error:
        raise EngineError(f"{what} has an invalid manifest") from error
    if manifest.key != key:
        raise EngineError(
            f"{what} was built for another network or recipe",
            got=f"{manifest.network} in {manifest.recipe.precision} by {manifest.module} {manifest.version}",
        )
    try:
        plan = read_regular(path)
    except OSError as error:
        raise EngineError(f"{what} cannot be read", got=reason(error)) from error
    if len(plan) != manifest.plan_bytes:
        raise EngineError(f"{what} is truncated", expected=f"{manifest.plan_bytes} bytes", got=str(len(plan)))
    if hashlib.sha256(plan).hexdigest() != manifest.plan_sha256:
        raise EngineError(f"{what} is damaged", expected=f"sha256 {manifest.plan_sha256[:12]}...")
    return plan, manifest


def _plain(name: str) -> str:
    """Return the name with only characters that every file system accepts."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:80] or "network"
