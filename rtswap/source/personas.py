"""The people in the box: they do not exist, so there is nobody to be asked. ``--source persona:NAME``.

Made by ``training/personas`` out of pictures of people who do not exist either; ``assets/personas/personas.json``
says what each looks like and what its file must be.
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
    """One of them."""

    name: str
    description: str
    file: str
    """Its picture, in ``assets/personas``."""
    sha256: str
    offered: bool
    """False for the cast of the demo and the tests, whom dlib's network takes for one of the (synthetic) people they
    were made of: their names are understood, but nobody is shown them as a way to be nobody in particular."""
    licence: str

    @property
    def source(self) -> str:
        """What to write after ``--source``."""
        return PREFIX + self.name


def list_personas() -> tuple[Persona, ...]:
    """Those who are offered, by name."""
    return tuple(persona for persona in all_personas() if persona.offered)


def all_personas() -> tuple[Persona, ...]:
    """All whose picture is in the box, by name."""
    data = json.loads((_folder() / "personas.json").read_text("utf-8"))
    found = [Persona(**entry, licence=data["licence"]) for entry in data["personas"]]
    return tuple(sorted(found, key=lambda persona: persona.name))


def persona_photo(name: str, *, choose: Callable[[Sequence[str]], str] = random.choice) -> Path:
    """The picture of one of them; of any, chosen anew each time, for ``random``. Raises SourceError for no such name.

    ``name``: as listed, with or without ``persona:``, in upper or lower case.
    """
    chosen = name.removeprefix(PREFIX).strip().lower()
    files = {persona.name: persona.file for persona in all_personas()}
    known = [persona.name for persona in list_personas()]
    if chosen == RANDOM:
        chosen = choose(known)
    if chosen in files:
        return _folder() / files[chosen]
    near = nearest(chosen, [*known, RANDOM], cutoff=0.5)
    shown = "".join(c if c.isprintable() else "?" for c in chosen[:40])
    raise SourceError(
        f"there is no persona called {shown!r}" if shown else "no persona was named",
        expected=", ".join([*known, RANDOM]),
        do=f"Did you mean {PREFIX}{near}?" if near else "`rtswap personas` shows them.",
    )


def is_persona(source: str | Path) -> bool:
    """Whether ``source`` names one of them, rightly or wrongly. A file that is called so is a file."""
    if not str(source).startswith(PREFIX):
        return False
    try:
        return not Path(source).exists()
    except (OSError, ValueError):  # too long, or no path at all
        return True


@cache
def _folder() -> Path:
    return Path(str(resources.files("rtswap").joinpath("assets/personas")))
