"""The user's imported models as they are installed: which there are, and their faults. Reads rows, not files,
and imports no more than a run needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rtswap.core.errors import ModelError, reason
from rtswap.core.files import sha256_of
from rtswap.core.model_rows import model_folders, models_folder
from rtswap.core.network_rows import read_rows
from rtswap.networks.catalog import load_catalog
from rtswap.networks.model_catalog import model_catalog

LATENT = "-latent"
"""Suffix of the network that maps an embedding to inswapper's latent, made from the file's last initialiser."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One imported model."""

    name: str
    family: str
    known: str
    title: str
    licence: str
    origin: str
    sha256: str
    pinned: str
    bytes: int
    folder: Path
    damage: str = ""
    """Why it cannot be used; empty if nothing is known against it."""


def list_installed() -> list[Installed]:
    """Return the imported models, sorted by name, with the faults of their rows; files are not read."""
    found = []
    for folder in model_folders(models_folder()):
        name = folder.name
        try:
            row = read_rows(folder)[name]
            load_catalog({name: row})
            words = {key: str(row.get(key, "")) for key in ("family", "known", "title", "licence", "origin")}
            there = folder / str(row["asset"])
            found.append(
                Installed(
                    name, **words, sha256=str(row["sha256"]), pinned=str(row.get("pinned", "")),
                    bytes=there.stat().st_size, folder=folder,
                )
            )  # fmt: skip
        except (ModelError, KeyError, OSError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            found.append(Installed(name, "", "", "", "", "", "", "", 0, folder, damage=why))
    return found


def verify(model: Installed) -> str:
    """Read the model's files and return their faults; empty if they have not changed since they were added."""
    if model.damage:
        return model.damage
    try:
        for row in read_rows(model.folder).values():
            path = model.folder / str(row["asset"])
            if sha256_of(path) != row["sha256"]:
                return f"{path.name} has changed since it was added"
    except (ModelError, OSError, KeyError) as error:
        return reason(error)
    return ""


def names_of(kind: str, family: str = "") -> tuple[str, ...]:
    """Return the usable installed models of a kind, or of one family, in the order of the catalogue, those that it
    does not know last."""
    catalog = model_catalog()
    order = list(catalog.models)
    found = [
        model
        for model in list_installed()
        if not model.damage
        and model.family in catalog.families
        and catalog.families[model.family].kind == kind
        and family in ("", model.family)
    ]
    found.sort(key=lambda one: (order.index(one.known) if one.known in order else len(order), one.name))
    return tuple(model.name for model in found)
