"""Shows and deletes what is kept."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags
from rtswap.commands.flags import Parser


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
    from rtswap.commands.forget.kept_data import forget as run_forget

    print(
        run_forget(
            flags.get("photos") or [], everything="everything" in flags, as_json=bool(flags.get("console.json"))
        )
    )
    return 0


COMMAND = Command("forget", "list what rtswap keeps of you on this machine, and delete it", _parser, _run)
