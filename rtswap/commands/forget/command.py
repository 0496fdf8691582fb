"""Shows and deletes what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser
from rtswap.core.text import plural

if TYPE_CHECKING:
    from rtswap.app.console import Shown


def _parser() -> Parser:
    made = Parser(
        "rtswap forget",
        "Lists what rtswap keeps of you on this machine, or deletes it.",
        "examples:\n  rtswap forget                 what is kept, and where\n"
        "  rtswap forget me.jpg          delete what is kept of this photo\n"
        "  rtswap forget --all           delete everything",
    )
    made.takes("photos", "[PHOTO ...]", many=True)
    group = made.add_argument_group("What is forgotten")
    group.add_argument("--all", dest="everything", action="store_true", help="everything")
    return made.with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.forget.kept_data import forget

    result = forget(flags.get("photos") or [], everything="everything" in flags)
    console_of_flags(flags).answer(result, *shown(result))
    return 0


def shown(result: Mapping[str, Any]) -> list[Shown]:
    """For people: what was deleted, and what is kept now and where."""
    from rtswap.commands.reports.table import table

    gone, kept = result["deleted"], result["kept"]
    rows = [
        ("confirmed photos", str(kept["photos"]), kept["photos_in"]),
        ("signing certificate", str(kept["certificates"]), kept["certificate_in"]),
    ]
    parts: list[Shown] = [table(("!kept", ">", "where"), rows)]
    if gone:
        photos, certificates = plural(gone["photos"], "confirmed photo"), plural(gone["certificates"], "certificate")
        return [f"Deleted {photos} and {certificates}.", *parts]
    if kept["photos"] or kept["certificates"]:
        parts.append(
            "Of a photo: its hash and the day. `rtswap forget --all` deletes everything, `forget PHOTO` one."
        )
    return parts


COMMAND = Command("forget", "list what rtswap keeps of you on this machine, and delete it", _parser, _run)
