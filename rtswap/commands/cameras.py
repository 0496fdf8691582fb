"""Lists the cameras."""

from __future__ import annotations

import json
from dataclasses import asdict

from rtswap.commands.command import Command, Flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser("rtswap cameras", "Lists the cameras and their modes.").with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.media.cameras import list_cameras

    found = list_cameras()
    if flags.get("console.json"):
        print(json.dumps([asdict(camera) for camera in found], ensure_ascii=False))
    else:
        print("\n".join(str(camera) for camera in found) or "No camera found. `rtswap doctor` says what is missing.")
    return 0


COMMAND = Command("cameras", "list the cameras and their modes", _parser, _run)
