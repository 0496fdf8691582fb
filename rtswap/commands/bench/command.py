"""``rtswap bench``: flags and entry point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtswap.app.config import Config
from rtswap.app.options import duration, number
from rtswap.commands.command import Command, Flags, console_of, effective
from rtswap.commands.flags import Parser, Reader
from rtswap.core.errors import UsageError
from rtswap.core.files import refuse_existing

if TYPE_CHECKING:
    from rtswap.app.console import Console, Shown


def _parser() -> Parser:
    made = Parser(
        "rtswap bench",
        "Measures the speed of this machine on a generated clip, played as a live source.",
        "examples:\n  rtswap bench\n  rtswap bench --seconds 5 --out bench.json\n"
        "  rtswap bench --engine onnxruntime,openvino          compare engines, also with this machine's peak\n"
        "  rtswap bench --streams 1,2,4,8,16 --out many.json   many cameras at once; also draws many.png",
    )
    group = made.add_argument_group("Measurement")
    seconds = Reader(number("N", 0.1, 3600))
    group.add_argument("--seconds", type=seconds, default=10.0, metavar="N", help="length of each run [10]")
    group.add_argument(
        "--engine",
        dest="engines",
        metavar="NAME[,NAME...]",
        help="inference engine: auto, tensorrt, torch-cuda, openvino or onnxruntime; several names or all: compare "
        "their networks and the complete loop with the measured peak of this machine [auto]",
    )
    group.add_argument(
        "--streams",
        metavar="N[,N...]",
        help="measure N 720p cameras at once instead, at 30 fps each, sharing the networks",
    )
    group.add_argument(
        "--wait",
        type=Reader(duration(0.1)),
        default=0.0,
        metavar="DURATION",
        help="how long a stream's network request may wait for other streams to share a batch [0]",
    )
    group.add_argument("--out", "-o", metavar="FILE", help="also write the result as JSON to this file")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace files that exist")
    return made.with_table(["swap", "budget", "engine", "console"], without=["engine.engine"])


def _run(flags: Flags) -> int:
    names = _engines(flags.pop("engines", ""))
    if len(names) == 1:
        flags["engine.engine"] = names[0]
    found = effective(flags).config
    with console_of(found) as console:
        result, shown = _measure(flags, names, found, console)
        console.answer(result, *shown)
    return 0


def _measure(
    flags: Flags, names: Sequence[str], found: Config, console: Console
) -> tuple[Mapping[str, Any], list[Shown]]:
    """Measure and return the figures and the text to print."""
    from rtswap.commands.bench import tables

    seconds, out = flags["seconds"], flags.get("out")
    for file in () if out is None else (Path(out), *([Path(out).with_suffix(".png")] if "streams" in flags else ())):
        refuse_existing(file, bool(flags.get("overwrite")))
    if "streams" in flags:
        from rtswap.commands.bench import streams

        counts = streams.read_counts(flags["streams"])
        if len(names) > 1:
            raise UsageError("--streams needs one engine", got=f"--engine {','.join(names)}")
        wait_s = flags["wait"]
        result = streams.bench_streams(found, counts, console=console, seconds=seconds, wait_s=wait_s, out=out)
        return result, tables.streams(result)
    if len(names) > 1:
        from rtswap.commands.bench import engines

        result = engines.bench_engines(found, names, console=console, seconds=seconds, out=out)
        per_frame = {name: engines.per_frame(result["networks"], name) for name in result["loop"]}
        return result, tables.engines(result, per_frame)
    from rtswap.commands.bench.run import bench

    result = bench(found, console=console, seconds=seconds, out=out)
    return result, tables.cases(result, stats=console.stats)


def _engines(text: str) -> tuple[str, ...]:
    """Parse --engine; an empty tuple leaves the choice to the configuration. Raises UsageError."""
    if not text or text == "auto":
        return (text,) if text else ()
    from rtswap.commands.bench.engines import read_engines

    return read_engines(text)


COMMAND = Command("bench", "measure the speed of this machine; needs no camera", _parser, _run)
