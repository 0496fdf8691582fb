"""``rtswap forget``: flags and entry point."""

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
        "Lists or deletes what rtswap stores about you on this machine.",
        "examples:\n  rtswap forget                 list what is stored, and where\n"
        "  rtswap forget me.jpg          delete the record of this photo\n"
        "  rtswap forget --all           delete everything",
    )
    made.takes("photos", "[PHOTO ...]", many=True)
    group = made.add_argument_group("Delete")
    group.add_argument("--all", dest="everything", action="store_true", help="delete everything")
    return made.with_table(["console"], without=["console.stats"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.forget.kept_data import forget

    result = forget(flags.get("photos") or [], everything="everything" in flags)
    console_of_flags(flags).answer(result, *format_result(result))
    return 0


def format_result(result: Mapping[str, Any]) -> list[Shown]:
    """Format the result as text: what was deleted, and what is still stored and where."""
    from rtswap.commands.reports.table import table

    gone, kept = result["deleted"], result["kept"]
    rows = [
        ("confirmed photos", str(kept["photos"]), kept["photos_in"]),
        ("signing certificate", str(kept["certificates"]), kept["certificate_in"]),
    ]
    parts: list[Shown] = [table(("!stored", ">", "where"), rows)]
    if gone:
        counts = {"confirmed photo": gone["photos"], "certificate": gone["certificates"]}
        deleted = " and ".join(plural(count, noun) for noun, count in counts.items() if count)
        return [f"Deleted {deleted}." if deleted else "Nothing deleted: no record of that.", *parts]
    if kept["photos"] or kept["certificates"]:
        parts.append(
            "A photo's record is its hash and the date. `rtswap forget --all` deletes everything, `forget PHOTO` one."
        )
    return parts


COMMAND = Command("forget", "list or delete what rtswap stores about you on this machine", _parser, _run)
