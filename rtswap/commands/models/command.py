"""``rtswap models``: flags and entry point."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser
from rtswap.core.errors import UsageError
from rtswap.core.text import suggestion

ACTIONS = ("list", "add", "pull", "remove", "verify")


def _parser() -> Parser:
    made = Parser(
        "rtswap models",
        "Lists, adds, downloads, removes and verifies third-party models: swappers, detectors, enhancers, masks.",
        "actions:\n  list               known models, licences, what is installed (the default)\n"
        "  add FILE ...       add a model: a file, folder or zip; a copy is kept\n"
        "  pull NAME ...      download a known model or pack; asks for its licence\n"
        "  remove NAME ...    delete an added model\n"
        "  verify [NAME ...]  read the added models and compare their hashes\n\n"
        "examples:\n  rtswap models add inswapper_128.onnx\n  rtswap models add ~/.insightface/models/buffalo_l\n"
        "  rtswap models add me.dfm --name me\n  rtswap models pull gfpgan_1.4\n\n"
        "Only pull uses the network. docs/models.md: where each model comes from.",
    )
    made.takes("words", "[ACTION [FILE|NAME ...]]", many=True, first=ACTIONS)
    group = made.add_argument_group("Models")
    group.add_argument("--as", dest="kind", metavar="KIND", help="add: type of the model, where rtswap cannot tell")
    group.add_argument("--name", metavar="NAME", help="add: name of the model")
    group.add_argument("--accept-licence", action="store_true", help="pull: accept the licence without being asked")
    group.add_argument(
        "--i-have-consent",
        action="store_true",
        help="add: confirm that the person whose face a DFM carries is you or has agreed",
    )
    return made.with_table(["console"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.models.run import add_models, list_models, pull_models, remove_models, verify_models

    action, *names = flags.get("words") or ["list"]
    if action not in ACTIONS:
        do = suggestion(action, ACTIONS, "See rtswap models --help.")
        raise UsageError(f"unknown action {action!r}", expected=", ".join(ACTIONS), do=do)
    if action in ("add", "pull", "remove") and not names:
        what = "file" if action == "add" else "name"
        raise UsageError(f"no {what} given", do=f"Give one: rtswap models {action} {what.upper()}")
    if "name" in flags and len(names) != 1:
        raise UsageError("--name needs one file", got=str(len(names)))
    with console_of_flags(flags) as console:
        if action == "list":
            result, shown, code = list_models()
        elif action == "add":
            consent = "i_have_consent" in flags
            kind, name = flags.get("kind", ""), flags.get("name", "")
            result, shown, code = add_models(names, kind, name, consent=consent, on_event=console.event)
        elif action == "pull":
            accepted = "accept_licence" in flags
            result, shown, code = pull_models(names, accepted, console.progress, console.event)
        elif action == "remove":
            result, shown, code = remove_models(names)
        else:
            result, shown, code = verify_models(names)
        console.answer(result, *shown)
    return code


COMMAND = Command("models", "list, add, download and verify third-party models", _parser, _run)
