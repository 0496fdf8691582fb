"""The sub-commands: for each its parser and what it does with the flags. ``rtswap`` alone runs the loop."""

from __future__ import annotations

import json
from argparse import SUPPRESS
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rtswap.config import Config
from rtswap.errors import UsageError
from rtswap.flags import Parser, add_common, add_table, overrides

if TYPE_CHECKING:  # the help must come at once: what a command needs is imported when it runs
    from rtswap.configfile import Effective
    from rtswap.console import Console

Flags = dict[str, Any]

RUN_EXAMPLES = """\
commands:
  rtswap cameras                list the cameras and their modes
  rtswap doctor                 check this machine, and say how to mend what is missing
  rtswap config                 print the configuration that counts, and where each value comes from
  rtswap bench                  measure this machine; needs no camera
  rtswap inspect CLIP           look at what the tracker and the masks see in a file
  rtswap verify FILE            was it made with rtswap? Looks for the marks in a video, a picture, a URL
  rtswap forget                 list what rtswap keeps of you on this machine, and delete it

examples:
  rtswap --source me.jpg --cam 0                              webcam to virtual camera, or to a window
  rtswap -s me.jpg -o vcam -o call.mp4                        a call, recorded as well
  rtswap -s photos/ -i clip.mp4 -o swapped.mp4 --faces all    a file, with its sound
  rtswap -s me.jpg -i rtsp://host/cam -o udp://host:5000      a stream

Settings may also stand in rtswap.toml (see `rtswap config`); flags win over it.
Ctrl-C ends a run cleanly: files are finished, exit code 0. In the window: q quit, s swap on/off,
o overlay, r record, n follow whoever is there now, 1-9 switch the source.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One sub-command."""

    parser: Callable[[], Parser]
    run: Callable[[Flags], int]


def run_parser() -> Parser:
    parser = Parser(
        "rtswap",
        "Puts the face of one photo on the face in a webcam, a file or a stream, live.",
        RUN_EXAMPLES,
        positional=[name for name in COMMANDS if name],
    )
    add_table(parser)
    add_common(parser, version=True)
    return parser


def run(flags: Flags) -> int:
    found = _effective(flags).config
    if not found.source.photos:
        raise UsageError("no source given", do="Name a photo of the face to put on: rtswap --source me.jpg")
    from rtswap.assemble import run as run_session

    console = _console(found)
    console.summary(run_session(found, console=console))
    return 0


def cameras_parser() -> Parser:
    parser = Parser("rtswap cameras", "Lists the cameras and their modes.")
    add_table(parser, ["console"])
    add_common(parser, config=False)
    return parser


def cameras(flags: Flags) -> int:
    from rtswap.cameras import list_cameras

    found = list_cameras()
    if flags.get("console.json"):
        print(json.dumps([_as_dict(camera) for camera in found], ensure_ascii=False))
    else:
        print("\n".join(str(camera) for camera in found) or "No camera found. `rtswap doctor` says what is missing.")
    return 0


def doctor_parser() -> Parser:
    parser = Parser("rtswap doctor", "Checks this machine, and prints for each thing that is missing what mends it.")
    add_table(parser, ["console"])
    add_common(parser, config=False)
    return parser


def doctor(flags: Flags) -> int:
    from rtswap.doctor import examine

    return examine(as_json=bool(flags.get("console.json")), quiet=bool(flags.get("console.quiet")))


def config_parser() -> Parser:
    parser = Parser("rtswap config", "Prints the configuration that counts, and where each value comes from.")
    add_table(parser)
    add_common(parser)
    return parser


def config(flags: Flags) -> int:
    from rtswap.configfile import to_toml

    found = _effective(flags)
    if found.config.console.json:
        print(json.dumps({"config": asdict(found.config), "origins": dict(found.origins)}, ensure_ascii=False))
    else:
        print(to_toml(found), end="")
    return 0


def bench_parser() -> Parser:
    parser = Parser(
        "rtswap bench",
        "Plays a generated clip as a live source, and measures.",
        "examples:\n  rtswap bench\n  rtswap bench --seconds 5 --out bench.json",
    )
    group = parser.add_argument_group("What is measured")
    group.add_argument("--seconds", type=_seconds, default=10.0, metavar="N", help="length of each run [10]")
    group.add_argument("--out", metavar="FILE", help="also write the result as JSON to this file")
    add_table(parser, ["source", "swap", "budget", "engine", "console"])
    add_common(parser)
    return parser


def bench(flags: Flags) -> int:
    found = _effective(flags).config
    from rtswap.bench import bench as run_bench

    console = _console(found)
    console.summary(run_bench(found, console=console, seconds=flags["seconds"], out=flags.get("out")))
    return 0


def inspect_parser() -> Parser:
    parser = Parser(
        "rtswap inspect",
        "Shows what the tracker and the masks see in a clip: a contact sheet, an annotated clip, plots, figures.",
        "examples:\n  rtswap inspect clip.mp4\n  rtswap inspect clip.mp4 -s me.jpg -o looked_at --faces all",
    )
    group = parser.add_argument_group("What is looked at")
    parser.usage = "rtswap inspect CLIP [options]"
    group.add_argument("clip", nargs="?", help=SUPPRESS)
    group.add_argument("-o", "--output", dest="folder", metavar="FOLDER", help="where to write [CLIP_inspect]")
    group.add_argument("-y", "--overwrite", action="store_true", help="replace files that exist")
    add_table(parser, ["source", "tracking", "swap", "mask", "safety", "badge", "engine", "console"])
    add_common(parser)
    return parser


def inspect(flags: Flags) -> int:
    if "clip" not in flags:
        raise UsageError("no clip given", do="Name a file: rtswap inspect clip.mp4")
    found = _effective(flags).config
    from rtswap.inspection.run import inspect as look

    console = _console(found)
    result = look(
        flags["clip"], found, console=console, folder=flags.get("folder"), overwrite=bool(flags.get("overwrite"))
    )
    console.summary(result)
    return 0 if result["frames_with_a_face"] else 1


def verify_parser() -> Parser:
    parser = Parser(
        "rtswap verify",
        "Was it made with rtswap? Looks for the invisible mark and the manifest.",
        "exit codes:\n  0 marked, 3 no mark found (which proves nothing), 1 cannot be read, 2 no such use\n\n"
        "examples:\n  rtswap verify clip.mp4\n  rtswap verify screen.png --json",
    )
    parser.usage = "rtswap verify FILE|URL [options]"
    group = parser.add_argument_group("What is looked at")
    group.add_argument("file", nargs="?", help=SUPPRESS)
    group.add_argument("--window", type=_seconds, metavar="N", help="seconds of video taken together, 0.1 to 60 [2]")
    add_table(parser, ["console"])
    add_common(parser, config=False)
    return parser


def verify(flags: Flags) -> int:
    if "file" not in flags:
        raise UsageError("no file given", do="Name a video, a picture or an address: rtswap verify clip.mp4")
    from rtswap.console import Console
    from rtswap.verification import verify as look
    from rtswap.verification.report import as_json, as_text, exit_code

    as_data = bool(flags.get("console.json"))
    console = Console(quiet=bool(flags.get("console.quiet")), json=as_data)
    verdict = look(
        flags["file"],
        window_s=flags.get("window", 2.0),
        on_progress=console.progress,
        on_event=console.event,
    )
    console.finish()
    print(json.dumps(as_json(verdict), ensure_ascii=False) if as_data else as_text(verdict), end="\n" * as_data)
    return exit_code(verdict)


def forget_parser() -> Parser:
    parser = Parser(
        "rtswap forget",
        "Lists what rtswap keeps of you on this machine, or deletes it.",
        "examples:\n  rtswap forget                 what is kept, and where\n"
        "  rtswap forget me.jpg          delete what is kept of this photo\n"
        "  rtswap forget --all           delete everything",
    )
    parser.usage = "rtswap forget [PHOTO ...] [options]"
    group = parser.add_argument_group("What is forgotten")
    group.add_argument("photos", nargs="*", help=SUPPRESS)
    group.add_argument("--all", dest="everything", action="store_true", help="everything")
    add_table(parser, ["console"])
    add_common(parser, config=False)
    return parser


def forget(flags: Flags) -> int:
    from rtswap.consent.forgetting import forget as run_forget

    print(
        run_forget(
            flags.get("photos") or [], everything="everything" in flags, as_json=bool(flags.get("console.json"))
        )
    )
    return 0


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "": Command(run_parser, run),
        "cameras": Command(cameras_parser, cameras),
        "doctor": Command(doctor_parser, doctor),
        "config": Command(config_parser, config),
        "bench": Command(bench_parser, bench),
        "inspect": Command(inspect_parser, inspect),
        "verify": Command(verify_parser, verify),
        "forget": Command(forget_parser, forget),
    }
)
"""Name -> command; the empty name is the loop itself."""


def _effective(flags: Flags) -> Effective:
    from rtswap.configfile import effective

    return effective(overrides(flags), file=flags.get("config"))


def _console(config: Config) -> Console:
    from rtswap.console import Console

    return Console(quiet=config.console.quiet, json=config.console.json)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise ValueError(text)
    return value


def _as_dict(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
