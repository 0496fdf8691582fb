"""Built-in personas: people who do not exist, so no consent is needed. ``--source persona:NAME``.

``training/personas`` blends each from several portraits of people who do not exist either, and measures how alike
they are; ``assets/personas/personas.json`` contains descriptions and checksums.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from rtswap.core.errors import SourceError
from rtswap.core.text import nearest

PREFIX = "persona:"
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Persona:
    """One built-in persona."""

    name: str
    description: str
    file: str
    """Name of the image in ``assets/personas``."""
    sha256: str
    licence: str

    @property
    def source(self) -> str:
        """The value for ``--source``."""
        return PREFIX + self.name


def list_personas() -> tuple[Persona, ...]:
    """The personas, by name."""
    data = json.loads((_folder() / "personas.json").read_text("utf-8"))
    found = [Persona(**entry, licence=data["licence"]) for entry in data["personas"]]
    return tuple(sorted(found, key=lambda persona: persona.name))


def persona_photo(name: str, *, choose: Callable[[Sequence[str]], str] = random.choice) -> Path:
    """Path of a persona's image; of a random one for ``random``. Raises SourceError for an unknown name.

    ``name``: as listed, with or without ``persona:``, in any case.
    """
    chosen = name.removeprefix(PREFIX).strip().lower()
    files = {persona.name: persona.file for persona in list_personas()}
    if chosen == RANDOM:
        chosen = choose(list(files))
    if chosen in files:
        return _folder() / files[chosen]
    near = nearest(chosen, [*files, RANDOM])
    shown = "".join(c if c.isprintable() else "?" for c in chosen[:40])
    raise SourceError(
        f"no persona called {shown!r}" if shown else "no persona named",
        expected=", ".join([*files, RANDOM]),
        do=f"Did you mean {PREFIX}{near}?" if near else "Run `rtswap personas` to list them.",
    )


def is_persona(source: str | Path) -> bool:
    """True if ``source`` has the form of a persona, known or not. A file of that name, which somebody may have put
    into the working folder, is none: nobody would be asked for consent."""
    return str(source).startswith(PREFIX)


@cache
def _folder() -> Path:
    return Path(str(resources.files("rtswap").joinpath("assets/personas")))
