"""Ask for consent, once per photo."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from rtswap.core.errors import SourceError, UsageError
from rtswap.core.files import list_files
from rtswap.core.urls import expanded
from rtswap.source.consent.record import ConsentRecord, photo_digest
from rtswap.source.personas import is_persona
from rtswap.vision.images import PICTURE_SUFFIXES

STATEMENT = (
    "I am the person shown, or that person has agreed to this use.\n"
    "Those who see the result will know that the face is synthetic."
)
DO = "Run rtswap in a terminal and answer y, or add --i-have-consent (source.i_have_consent in rtswap.toml)."
_YES = ("y", "yes")

Answer = Callable[[str], str | None]
"""Shows a question and returns what was typed; None if nobody can be asked."""


def ask(
    photos: Sequence[str | Path],
    record: ConsentRecord,
    *,
    pictures: Sequence[str] = (),
    assume: bool = False,
    answer: Answer | None = None,
    do: str = DO,
    on_event: Callable[[str], None] = lambda event: None,
) -> None:
    """Ask for the statement to be confirmed, for each photo not confirmed yet. A folder means the photos in it.

    ``pictures``: names of sources that are no files; nothing is recorded of them. ``assume``: ``--i-have-consent``
    confirms it. ``do``: what to do if it is not confirmed. Raises UsageError then, SourceError if a photo cannot be
    read. A confirmation that cannot be stored is valid for this run only.
    """
    exempt = digests_of_nobody()
    digests = {photo_digest(path): path for path in photo_files(photos)}
    unknown = {digest: path for digest, path in digests.items() if digest not in exempt and not record.holds(digest)}
    if not unknown and not pictures:
        return
    names = _names([*pictures, *(path.name for path in unknown.values())])
    if not assume:
        said = (answer or ask_on_terminal)(_question(names, len(unknown)))
        if said is None:
            raise _refused(names, "no terminal to ask on" if answer is None else "none", do)
        if said.strip().lower() not in _YES:
            raise _refused(names, "a different answer than yes", do)
    for digest in unknown:
        try:
            record.remember(digest)
        except OSError as error:
            on_event(f"cannot store the confirmation in {record.folder} ({error.strerror or error})")
            return


def ask_on_terminal(question: str) -> str | None:
    """Ask on the terminal; None unless both ends are terminals: an answer that was piped in confirms nothing."""
    try:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        sys.stderr.write(question)
        sys.stderr.flush()
        return sys.stdin.readline()
    except (AttributeError, OSError, ValueError):  # closed, or never open
        return None


def _question(names: str, count: int) -> str:
    how_often = "this photo" if count == 1 else f"these {count} photos"
    return f"Source: {names}\n\n{STATEMENT}\n\nIs this correct? rtswap asks once for {how_often}. [y/N] "


def _refused(names: str, got: str, do: str) -> UsageError:
    return UsageError(
        f"consent for the source {names} is not confirmed",
        expected="confirmation that the person shown has agreed",
        got=got,
        do=do,
    )


def _names(names: list[str]) -> str:
    shown = ", ".join("".join(c if c.isprintable() else "?" for c in name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def photo_files(photos: Sequence[str | Path]) -> list[Path]:
    """List the photos, with folders expanded, in order. Raises SourceError."""
    files: list[Path] = []
    for photo in photos:
        path = expanded(photo)
        if is_persona(photo):
            continue
        if not os.path.isdir(path):  # Path.is_dir raises for a name too long
            files.append(path)
            continue
        try:
            files += list_files(path, PICTURE_SUFFIXES)
        except OSError as error:
            raise SourceError(f"cannot read the folder {path}", got=error.strerror or str(error)) from None
    return files


def digests_of_nobody() -> frozenset[str]:
    """SHA-256 digests of the built-in personas and the demo's source, who do not exist."""
    folder = resources.files("rtswap").joinpath("assets/personas")
    return frozenset(hashlib.sha256(item.read_bytes()).hexdigest() for item in folder.iterdir() if item.is_file())
