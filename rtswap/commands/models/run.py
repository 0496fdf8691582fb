"""The actions of ``rtswap models``. Each returns its result for JSON, what is shown, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.reports.table import Cell, table
from rtswap.core.errors import ModelError, UsageError, reason
from rtswap.core.files import make_writable
from rtswap.core.model_rows import models_folder
from rtswap.core.text import size, suggestion
from rtswap.core.urls import expanded
from rtswap.networks.download import Wanted, fetch
from rtswap.networks.installed_models import Installed, list_installed, verify
from rtswap.networks.model_catalog import Family, KnownModel, Pack, model_catalog
from rtswap.networks.model_store import add, remove
from rtswap.source.consent import ConsentRecord, ask
from rtswap.source.consent.question import ask_on_terminal

Answer = tuple[dict[str, Any], list[Shown], int]
Event = Callable[[str], None]
Progress = Callable[[int, int | None, str], None]
DOWNLOADS = ".downloads"
"""Folder among the models that keeps what an interrupted download has."""
_YES = ("y", "yes")


def list_models() -> Answer:
    """The known models and packs with their licences, then what is installed."""
    catalog, here = model_catalog(), list_installed()
    known = {model.known: model for model in here if model.known}
    rows: list[Sequence[Cell]] = []
    for model in catalog.models.values():
        kind = catalog.families[model.family].kind
        commercial = "yes" if model.commercial else "no"
        rows.append((model.name, kind, commercial, size(model.bytes) if model.bytes else "", model.licence))
    yours = [
        ((model.name, "good"), model.family or "damaged", model.damage or model.origin, _verdict(model))
        for model in here
    ]
    shown: list[Shown] = [table(("!model", "!kind", "!commercial", ">size", "licence"), rows)]
    packs = [(pack.name, size(pack.bytes), pack.title, pack.licence) for pack in catalog.packs.values()]
    shown += ["", table(("!pack", ">size", "contains", "licence"), packs)]
    if yours:
        shown += ["", table(("!installed", "family", "from", ""), yours)]
    shown += ["", f"Installed in {models_folder()}. Add a file: rtswap models add FILE"]
    result = {
        "folder": models_folder(),
        "models": [
            {
                "name": model.name,
                "kind": catalog.families[model.family].kind,
                "family": model.family,
                "licence": model.licence,
                "commercial": model.commercial,
                "installed": known[model.name].name if model.name in known else None,
            }
            for model in catalog.models.values()
        ],
        "packs": [pack.name for pack in catalog.packs.values()],
        "installed": [_as_json(model) for model in here],
    }
    return result, shown, 0


def add_models(files: Sequence[str], kind: str, name: str, *, consent: bool, on_event: Event) -> Answer:
    """Add files, folders and zip files. Raises ModelError, UsageError."""

    def confirm(path: Path) -> None:
        ask([path], ConsentRecord(), assume=consent, on_event=on_event)

    added: list[Installed] = []
    for file in files:
        path = expanded(file)
        added += add(path, kind=kind, name=name, confirm=confirm, on_event=on_event)
    return {"added": [_as_json(model) for model in added]}, _how_to_use(added), 0


def pull_models(names: Sequence[str], accepted: bool, on_progress: Progress, on_event: Event) -> Answer:
    """Download known models and packs, each after its licence was accepted. Raises ModelError, UsageError."""
    added: list[Installed] = []
    for name in names:
        added += _pull(_find_known(name), accepted, on_progress, on_event)
    return {"added": [_as_json(model) for model in added]}, _how_to_use(added), 0


def remove_models(names: Sequence[str]) -> Answer:
    """Delete models. Raises ModelError."""
    gone = [remove(name) for name in names]
    shown: list[Shown] = [f"Removed {model.name} ({size(model.bytes)})." for model in gone]
    return {"removed": [model.name for model in gone]}, shown, 0


def verify_models(names: Sequence[str]) -> Answer:
    """Read the models and compare their hashes. The exit code is 1 if one is damaged. Raises ModelError."""
    here = {model.name: model for model in list_installed()}
    if unknown := [name for name in names if name not in here]:
        do = "" if here else "None is installed."
        raise ModelError(f"no imported model {unknown[0]!r}", expected=", ".join(here), do=do)
    found = [(here[name], verify(here[name])) for name in names or here]
    rows = [
        (model.name, ("damaged", "bad") if wrong else ("intact", "good"), wrong or _verdict(model))
        for model, wrong in found
    ]
    shown: list[Shown] = [table(("!model", "file", ""), rows)] if rows else ["No model is installed."]
    result = {"models": [{**_as_json(model), "intact": not wrong, "damage": wrong} for model, wrong in found]}
    return result, shown, 1 if any(wrong for _, wrong in found) else 0


def _find_known(name: str) -> KnownModel | Pack:
    catalog = model_catalog()
    found = catalog.packs.get(name) or catalog.models.get(name)
    if found is None:
        raise ModelError(
            f"unknown model {name!r}",
            do=suggestion(name, [*catalog.models, *catalog.packs], "`rtswap models` lists the known ones."),
        )
    if isinstance(found, KnownModel) and not found.urls:
        raise ModelError(f"{name} is published in a pack only", do=f"Run: rtswap models pull {found.pack}")
    return found


def _pull(model: KnownModel | Pack, accepted: bool, on_progress: Progress, on_event: Event) -> list[Installed]:
    _accept(model, accepted)
    folder = models_folder() / DOWNLOADS
    try:
        make_writable(folder)
    except OSError as error:
        raise ModelError(f"cannot write to {folder}", got=reason(error), do="Set RTSWAP_MODELS to another.") from None
    path = folder / f"{model.name}{'.zip' if isinstance(model, Pack) else '.onnx'}"

    def progress(done: int, total: int | None) -> None:
        on_progress(done >> 20, total and total >> 20, f"MB of {model.name}")

    wanted = Wanted(model.name, model.urls, model.sha256, model.bytes)
    fetch(wanted, path, progress)
    try:
        kind = model.name if isinstance(model, KnownModel) else ""
        return add(path, kind=kind, origin=model.urls[0], on_event=on_event)
    finally:
        path.unlink(missing_ok=True)


def _accept(model: KnownModel | Pack, accepted: bool) -> None:
    """Show the licence, and ask unless it is accepted already. Raises UsageError."""
    if accepted:
        return
    use = "commercial use allowed" if model.commercial else "no commercial use"
    bytes_ = f", {size(model.bytes)}" if model.bytes else ""
    said = ask_on_terminal(
        f"{model.title}{bytes_}\nLicence: {model.licence} ({use})\n{model.terms}\n\nAccept it and download? [y/N] "
    )
    if said is None or said.strip().lower() not in _YES:
        raise UsageError(
            f"the licence of {model.name} was not accepted",
            expected=f"{model.licence}, {model.terms}",
            got="no terminal to ask on" if said is None else "a different answer than yes",
            do="Read it, and answer y in a terminal or add --accept-licence.",
        )


def _how_to_use(models: Iterable[Installed]) -> list[Shown]:
    """A line of command for each model."""
    families = model_catalog().families
    return [f"  {_command(model, families[model.family])}" for model in models if model.family in families]


def _command(model: Installed, family: Family) -> str:
    source = "" if family.kind == "swapper" and family.identity == "none" else "--source me.jpg "
    flags = {
        "swapper": f"--swapper {model.name}",
        "detector": f"--detector {family.name}",
        "enhancer": f"--enhance {model.name}",
        "masker": f"--mask hull,skin,{family.name}",
    }
    if family.kind not in flags:
        return f"{model.name}: used by the swappers that need it"
    return f"rtswap {flags[family.kind]} {source}--cam 0"


def _verdict(model: Installed) -> str:
    return {"published": "the published file", "first use": "pinned when it was added"}.get(model.pinned, "")


def _as_json(model: Installed) -> dict[str, Any]:
    words = ("name", "family", "known", "title", "licence", "origin", "sha256", "pinned", "bytes", "damage")
    return {word: getattr(model, word) for word in words}
