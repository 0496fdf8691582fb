"""Format the results of ``rtswap bench`` as tables and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.reports.table import Cell, table
from rtswap.core.text import plural, size

KEEPS_UP = 0.98
"""A machine keeps up with a camera from this share of its frame rate."""
CAMERA_FPS, LEAST_FPS = 60, 30
MORE = "Add --stats for each stage, --json or --out FILE for all figures."


def cases(result: Mapping[str, Any], *, stats: bool) -> list[Shown]:
    """Format the result of ``rtswap bench`` without --engine and --streams."""
    rows: list[Sequence[Cell]] = []
    for name, found in result["cases"].items():
        live, age = found["at_60_fps"], found["at_60_fps"]["frame_age_ms"]
        ages = [f"{age[p]:.0f}" if age else "-" for p in ("p50", "p95")]
        rows.append(
            (name.partition(" of ")[0], f"{found['possible_fps']:.0f}", f"{live['fps']:.0f}", *ages, _verdict(found))
        )
    columns = ("!case", ">fps", ">at 60", ">age p50", ">p95 ms", "!enough for")
    shown: list[Shown] = [table(columns, rows), *_in_words(result["cases"])]
    if not stats:
        return [*shown, MORE]
    stages = dict.fromkeys(stage for found in result["cases"].values() for stage in found["stages_ms"])
    per_stage = [[stage, *_medians(result["cases"], stage)] for stage in stages]
    heads = [f">{_height(name)}p, {name.split()[1]}" for name in result["cases"]]
    roofline = f"networks of a frame: {result['roofline']['networks_of_a_frame']}"
    return [*shown, table(("median ms", *heads), per_stage, "Stages by height and faces"), roofline]


def _medians(found: Mapping[str, Any], stage: str) -> list[str]:
    figures = [case["stages_ms"].get(stage) for case in found.values()]
    return [f"{one['p50']:.2f}" if one else "-" for one in figures]


def _verdict(found: Mapping[str, Any]) -> Cell:
    live = found["at_60_fps"]
    if live["fps"] >= KEEPS_UP * CAMERA_FPS:
        return (f"{CAMERA_FPS} fps, less quality", "warn") if live["quality_level"] else (f"{CAMERA_FPS} fps", "good")
    if found["possible_fps"] >= LEAST_FPS:
        return f"{LEAST_FPS} fps", "warn"
    return f"{found['possible_fps']:.0f} fps", "bad"


def _in_words(found: Mapping[str, Any]) -> list[str]:
    """Return ``720p at 60 fps: yes, 99 % of frames at most 21 ms old``, for one face in each size."""
    said = []
    for name, case in found.items():
        if ", 1 face" not in name:
            continue
        height = _height(name)
        live = case["at_60_fps"]
        if live["fps"] >= KEEPS_UP * CAMERA_FPS:
            lower = " at lower quality" if live["quality_level"] else ""
            age = f"99 % of frames at most {live['frame_age_ms']['p99']:.0f} ms old"
            said.append(f"{height}p at {CAMERA_FPS} fps: yes{lower}, {age}")
        elif case["possible_fps"] >= LEAST_FPS:
            said.append(f"{height}p at {LEAST_FPS} fps: yes")
        else:
            said.append(f"{height}p at {LEAST_FPS} fps: no, {case['possible_fps']:.0f} fps")
    return said


def _height(case: str) -> str:
    """Return ``720`` for ``1280x720, 1 face of 300 px``."""
    return case.partition(",")[0].partition("x")[2]


def streams(result: Mapping[str, Any]) -> list[Shown]:
    """Format the result of ``--streams``."""
    of_all = {int(count): figures["all"] for count, figures in result["streams"].items()}
    gpu = any(found["gpu_ms_per_frame"] is not None for found in of_all.values())
    rows = []
    for count, found in of_all.items():
        age, landmarks = found["frame_age_ms"], found["networks"].get("landmarks")
        costs = [found["cpu_ms_per_frame"], *([found["gpu_ms_per_frame"]] if gpu else [])]
        rows.append(
            (
                str(count),
                f"{found['fps_of_each']['mean']:.1f}",
                "/".join(f"{age[p]:.0f}" for p in ("p50", "p95", "p99")) if age else "-",
                f"{found['dropped_share']:.0%}",
                *(f"{cost:.1f}" if cost is not None else "-" for cost in costs),
                f"{landmarks['rows_per_batch']:.1f}" if landmarks else "-",
                size(1e6 * (found["rss_mb"] - found["clips_mb"])),
            )
        )
    heads = ("fps each", "age ms p50/95/99", "dropped", "CPU ms", *(("GPU ms",) if gpu else ()), "batch", "memory")
    held = [count for count, found in of_all.items() if found["keeps_up"]]
    verdict = f"up to {plural(max(held), 'stream')}" if held else "none of these"
    case = f"{result['case']}, {result['machine']['engine']}"
    return [table((">streams", *(f">{head}" for head in heads)), rows, case), f"30 fps for {verdict}."]


def engines(result: Mapping[str, Any], per_frame: Mapping[str, str]) -> list[Shown]:
    """Format the result of ``--engine a,b``. ``per_frame``: engine -> cost of the networks of a frame, as text."""
    names = list(result["loop"])
    networks = [
        (title, f"{1e3 * row['gmacs']:.1f}", f"{row['mb']:.2f}", *(_network(row[name]) for name in names))
        for title, row in result["networks"].items()
    ]
    stages = dict.fromkeys(stage for found in result["loop"].values() for stage in found["stages"])
    loops = [(stage, *(_stage(result["loop"][name]["stages"].get(stage)) for name in names)) for stage in stages]
    rates = ("frames per second", *(f"{result['loop'][name]['fps']:.1f}" for name in names))
    shown: list[Shown] = [
        table(("!network", ">MMAC", ">MB", *names), networks, "Networks: milliseconds, share of this machine's peak"),
        *(f"{name}: {per_frame[name]}, networks of a frame" for name in names),
        "",
        table(("!loop", *names), [rates, *loops], "Loop: milliseconds, share of the copy rate"),
        *(f"limits for {name}: {_limits(limits)}" for name, limits in result["limits"].items()),
    ]
    return [*shown, *(f"not run: {name}: {reason}" for name, reason in result["not_run"].items())]


def _network(one: Mapping[str, Any]) -> Cell:
    if "failed" in one:
        return f"fails: {one['failed']}", "bad"
    if one["disagreement"]:
        return f"WRONG: {one['disagreement']}", "bad"
    return f"{one['median_ms']:.2f}  {one['share_of_limit']:.0%}"


def _stage(stage: Mapping[str, Any] | None) -> str:
    """Format a stage's time and share of the copy rate; a share above 1 means that the data was in a cache."""
    if stage is None:
        return "-"
    share = stage.get("share_of_limit")
    said = "" if share is None else "  cached" if share > 1 else f"  {share:.0%}"
    return f"{stage['ms_p50']:.2f}{said}"


def _limits(found: Mapping[str, Any]) -> str:
    bus = f", {found['upload_gb_s']:g} GB/s up, {found['download_gb_s']:g} down" if "upload_gb_s" in found else ""
    return f"{found['what']}: {found['gemm_gflops']:,.0f} GFLOP/s products, {found['copy_gb_s']:g} GB/s copies{bus}"
