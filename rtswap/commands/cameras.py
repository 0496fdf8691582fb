"""``rtswap cameras``: list the cameras and their modes."""

from __future__ import annotations

from dataclasses import asdict

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    return Parser("rtswap cameras", "Lists the cameras and their modes.").with_table(
        ["console"], without=["console.stats"], config=False
    )


def _run(flags: Flags) -> int:
    from rtswap.commands.reports.table import table
    from rtswap.media.cameras import list_cameras

    found = list_cameras()
    rows = []
    for camera in found:
        name = f"{camera.name} (virtual)" if camera.virtual else camera.name
        modes = camera.modes_in_words() or ("",)
        rows += [(str(camera.index), name, camera.path, modes[0]), *(("", "", "", mode) for mode in modes[1:])]
    shown = table((">", "camera", "!path", "modes"), rows) if rows else "No camera found. See rtswap doctor."
    console_of_flags(flags).answer([asdict(camera) for camera in found], shown)
    return 0


COMMAND = Command("cameras", "list the cameras and their modes", _parser, _run)
