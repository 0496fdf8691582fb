"""Build TensorRT plans for ``rtswap build`` and ``scripts/build_engines.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.reports.table import Cell, table
from rtswap.core.errors import EngineError, ModelError, UsageError
from rtswap.core.isolation import pip_install
from rtswap.core.text import plural
from rtswap.engines.build.all_plans import BuildResult, PlanOptions, build_all
from rtswap.engines.build.precision import PRECISIONS
from rtswap.engines.tensorrt.module import TensorRt, load_tensorrt
from rtswap.engines.tensorrt.plan_store import PlanCache, plan_folder


def read_options(precision: str = "", target: str = "", batch: str = "", *, force: bool = False) -> PlanOptions:
    """Parse the values of the flags; an empty one means its default. Raises UsageError."""
    if precision and precision not in PRECISIONS:
        raise UsageError("invalid --precision", expected=" or ".join(PRECISIONS), got=precision)
    if target and not re.fullmatch(r"\d{1,2}\.\d", target):
        raise UsageError("invalid --target", expected="a compute capability such as 8.9", got=target)
    return PlanOptions(precision or None, target, _batch(batch) if batch else None, force)


def _batch(text: str) -> tuple[int, int, int]:
    """Parse ``4``, always four faces, or ``1,4,16``: one to sixteen, usually four. Raises UsageError."""
    try:
        lengths = [int(part) for part in text.split(",")]
    except ValueError:
        lengths = []
    least, usual, most = lengths if len(lengths) == 3 else (lengths * 3 if len(lengths) == 1 else (0, 0, 0))
    if not 1 <= least <= usual <= most <= 1024:
        raise UsageError("invalid --batch", expected="4, or min,usual,max as in 1,4,16", got=text)
    return least, usual, most


def build_networks(
    names: Sequence[str],
    *,
    catalog: Sequence[str],
    path_of: Callable[[str], Path],
    folder: Path,
    options: PlanOptions,
    on_progress: Callable[[int, int | None, str], None] = lambda done, total, line: None,
    on_event: Callable[[str], None] = lambda event: None,
) -> dict[str, Any]:
    """Build each network of ``names`` (all of ``catalog`` if empty) and store the plans under ``folder``.

    A name is a network of the catalogue, whose file ``path_of`` returns, or an ONNX file. Returns ``built`` and
    ``failed``, each name -> line. Raises EngineError if TensorRT is missing, ModelError and UsageError for unknown
    names.
    """
    tensorrt = load_tensorrt()
    _check(tensorrt, options)
    networks = [_network(word, path_of) for word in names] or _available(catalog, path_of, on_event)
    if twice := {name for name, _ in networks if [one for one, _ in networks].count(name) > 1}:
        raise UsageError(f"two networks are called {sorted(twice)[0]}", do="Give the files different names.")
    cache = PlanCache(plan_folder(folder), on_event=on_event)
    made = build_all(networks, options, tensorrt, cache, on_progress=on_progress)
    return {
        "tensorrt": f"{tensorrt.name} {tensorrt.version}",
        "folder": str(cache.folder),
        "built": {one.network: _line(one) for one in made if one.manifest is not None},
        "failed": {one.network: one.failed for one in made if one.manifest is None},
    }


def format_plans(result: Mapping[str, Any]) -> list[Shown]:
    """Format the result of ``build_networks`` as a table."""
    rows: list[Sequence[Cell]] = [(name, ("built", "good"), line) for name, line in result["built"].items()]
    rows += [(name, ("failed", "bad"), reason) for name, reason in result["failed"].items()]
    count = plural(len(result["built"]), "plan")
    return [table(("!network", "!", "plan"), rows), f"{count} of {result['tensorrt']} in {result['folder']}"]


def _check(tensorrt: TensorRt, options: PlanOptions) -> None:
    if not tensorrt.portable:
        raise EngineError(
            f"{tensorrt.name} builds plans only on the GPU that runs them, on first use",
            do=f"Run: {pip_install('tensorrt_rtx')}",
        )
    if options.target and options.target not in tensorrt.targets:
        raise UsageError(
            f"{tensorrt.name} {tensorrt.version} cannot build for compute capability {options.target}",
            expected=" or ".join(tensorrt.targets),
        )


def _available(
    catalog: Sequence[str], path_of: Callable[[str], Path], on_event: Callable[[str], None]
) -> list[tuple[str, Path]]:
    """Return every network whose weights are available; report those of extras that are not installed."""
    found = []
    for name in catalog:
        try:
            found.append((name, path_of(name)))
        except ModelError as error:
            on_event(f"left out: {name}: {error}")
    return found


def _network(word: str, path_of: Callable[[str], Path]) -> tuple[str, Path]:
    """Name and file of what the user named."""
    return (Path(word).stem, Path(word)) if word.endswith(".onnx") else (word, path_of(word))


def _line(built: BuildResult) -> str:
    manifest = built.manifest
    assert manifest is not None
    how = f"built in {built.took_s:.1f} s" if built.fresh else "cached"
    target = f" for {manifest.recipe.target}" if manifest.recipe.target else ""
    shapes = "; ".join(f"{spec.name} {spec}" for spec in manifest.inputs)
    return f"{manifest.recipe.precision}{target}, {manifest.plan_bytes / 1e6:.1f} MB, {how}, inputs {shapes}"
