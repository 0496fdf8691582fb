"""Count what a run of ``rtswap extract`` did, and format it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rtswap.core.errors import InputError
from rtswap.core.text import plural

ENLARGED = 1.5
"""Enlargement above which a face is counted in the summary."""
SKIPPED = ("done before", "given twice", "without a face")
"""Kinds of files that added no face."""

LIMITS = MappingProxyType(
    {
        "too small": "--min-face",
        "turned away": "--max-yaw",
        "looks up or down": "--max-pitch",
        "too dark": "--min-light",
        "too bright": "--max-light",
        "blurred": "--min-sharpness",
        "alike": "--similar",
    }
)
"""Reason to leave a face out -> the flag that changes it."""


@dataclass(slots=True)
class Tally:
    """Counts of one run."""

    files: int
    kept: int = 0
    seen: int = 0
    enlarged: int = 0
    people: int = 0
    others: int = 0
    """Faces of other people that were removed again."""
    before: int = 0
    """Files that an earlier run finished."""
    twice: int = 0
    """Files with the same content as another file of this run."""
    faceless: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Reason -> faces."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """File -> reason."""

    def summary(self) -> dict[str, Any]:
        """The figures for text and JSON output."""
        found: dict[str, Any] = {"new": self.kept, "files": self.files}
        found["refused"] = dict(self.refused.most_common())
        optional: dict[str, Any] = {
            **dict(zip(SKIPPED, (self.before, self.twice, self.faceless), strict=True)),
            f"enlarged more than {ENLARGED:g} times": self.enlarged,
            "people": self.people,
            "others removed": self.others,
            "unreadable": self.unreadable,
        }
        return found | {name: value for name, value in optional.items() if value}

    def nothing(self) -> InputError:
        """The error that says why no face was stored."""
        reasons = [f"{count} {reason}" for reason, count in self.refused.most_common()]
        unreadable = [plural(len(self.unreadable), "unreadable file")] if self.unreadable else []
        if reasons:
            got = f"{plural(self.seen, 'face')}: {', '.join(reasons + unreadable)}"
            limits = [LIMITS[reason] for reason, _ in self.refused.most_common() if reason in LIMITS]
            do = f"{limits[0]} changes this limit" if limits else "See rtswap extract --help for the limits."
            return InputError("no face is good enough", got=got, do=do)
        if self.before:
            got = ", ".join([f"{plural(self.before, 'file')} that an earlier run finished", *unreadable])
            return InputError("no new face", got=got, do="Add --overwrite to extract again.")
        without = self.files - len(self.unreadable)
        got = ", ".join([*([f"{plural(without, 'file')} without one"] if without else []), *unreadable])
        return InputError("no face found", got=got, do="Give photos or videos that show faces.")


def format_tally(result: Mapping[str, Any]) -> list[str]:
    """Format the result of ``extract`` as text: what is in the folder and what was left out."""
    files = plural(result["files"], "file")
    faces = plural(result["faces"], "face")
    new = "" if result["new"] == result["faces"] else f", {result['new']:,} of them new,"
    lines = [f"Wrote {result['folder']}: {faces}{new} from {files}."]
    if "people" in result:
        number = result["people"]
        lines.append(f"{number} {'person' if number == 1 else 'people'}: sheet.png shows who is who.")
    if "others removed" in result:
        lines.append(f"Removed the faces of others: {result['others removed']}.")
    if result["refused"]:
        reasons = ", ".join(f"{count} {reason}{_limit(reason)}" for reason, count in result["refused"].items())
        lines.append(f"Faces left out: {reasons}.")
    skipped = [f"{result[name]} {name}" for name in SKIPPED if name in result]
    skipped += [f"{len(result['unreadable'])} unreadable"] if "unreadable" in result else []
    if skipped:
        lines.append(f"Files left out: {', '.join(skipped)}.")
    if "exported" in result:
        lines.append(f"Wrote DeepFaceLab's aligned set: {plural(result['exported'], 'face')}.")
    return lines


def _limit(reason: str) -> str:
    """The flag that changes which faces are left out for a reason."""
    return f" ({LIMITS[reason]})" if reason in LIMITS else ""
