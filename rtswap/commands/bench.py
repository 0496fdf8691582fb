"""Measures the machine."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of, effective, seconds
from rtswap.flags import Parser, add_common, add_table


def _parser() -> Parser:
    made = Parser(
        "rtswap bench",
        "Plays a generated clip as a live source, and measures.",
        "examples:\n  rtswap bench\n  rtswap bench --seconds 5 --out bench.json\n"
        "  rtswap bench --streams 1,2,4,8,16 --out streams.json   many cameras at once; also draws streams.png",
    )
    group = made.add_argument_group("What is measured")
    group.add_argument("--seconds", type=seconds, default=10.0, metavar="N", help="length of each run [10]")
    group.add_argument(
        "--streams",
        metavar="N[,N...]",
        help="so many 720p cameras at once instead, at 30 fps each, sharing the networks",
    )
    group.add_argument("--out", metavar="FILE", help="also write the result as JSON to this file")
    add_table(made, ["source", "swap", "budget", "engine", "console"])
    add_common(made)
    return made


def _run(flags: Flags) -> int:
    found = effective(flags).config
    console = console_of(found)
    if "streams" in flags:
        from rtswap.bench.streams import bench_streams, in_words, read_counts

        counts = read_counts(flags["streams"])
        result = bench_streams(found, counts, console=console, seconds=flags["seconds"], out=flags.get("out"))
        console.summary(result if console.json else in_words(result))
        return 0
    from rtswap.bench import bench as run_bench

    console.summary(run_bench(found, console=console, seconds=flags["seconds"], out=flags.get("out")))
    return 0


COMMAND = Command("bench", "measure this machine; needs no camera", _parser, _run)
