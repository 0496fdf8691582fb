"""Run a training on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rtswap.app.console import Console, Shown
from rtswap.core.errors import NotInstalled
from rtswap.core.isolation import pip_install
from rtswap.core.text import duration, plural
from rtswap.training.spec import RecipeSpec


def run(
    spec: RecipeSpec,
    data: Sequence[Path],
    people: Sequence[int | None],
    out: Path,
    *,
    minutes: float,
    device: str,
    options: Mapping[str, Any],
    preview: bool,
    console: Console,
) -> tuple[dict[str, Any], list[Shown]]:
    """Train, and return the result with what is shown of it. Raises UsageError, InputError, OutputError and
    ModelError; NotInstalled without PyTorch."""
    try:
        from rtswap.commands.train.display import Show, in_words
        from rtswap.training.run import TrainJob, train
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "torch":
            raise
        do = f"Run: {pip_install('rtswap[train]')}"
        raise NotInstalled("training needs PyTorch, which is not installed", do=do) from None
    back = "-back" if options["direction"] == "back" else ""
    file = out / f"{out.resolve().name or spec.name}{back}{spec.suffix}"
    job = TrainJob(spec, tuple(data), tuple(people), out, file, minutes, device, options)
    result = train(job, Show(console, out, preview=preview))
    held_out = {name: value for name, value in result["held_out"].items() if name not in ("minutes", "step")}
    pair = spec.kind == "pair"
    ended = "Stopped" if result["stopped"] else "Trained"
    if held_out.get("source", 1.0) <= held_out.get("target", 0.0):
        console.event(
            "the swaps still look more like the target than the source: this file would show the target's own face. "
            "Train longer"
        )
    shown: list[Shown] = [
        f"{ended} after {duration(60 * result['minutes'])} and {plural(result['steps'], 'step')} in all.",
        *([f"On faces kept out of training: {in_words(held_out)}."] if held_out else []),
        f"Look at the newest sheet in {out}. Play it:",
        f"  rtswap INPUT OUTPUT {'' if pair else '--source PHOTO '}--swapper {file}",
    ]
    return result, shown
