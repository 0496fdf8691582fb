"""A verdict for people, for programs and for shells."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.reports.table import table
from rtswap.core.text import clock
from rtswap.disclosure.manifest import ManifestReport
from rtswap.disclosure.verdict import Span, Verdict
from rtswap.disclosure.watermark import Kind, Payload

MARKED, UNMARKED = 0, 3
"""Exit codes. 1: cannot be read, 2: no such use."""
FORMAT = 1
"""Of the JSON; raised when a key changes its meaning or goes."""
NO_PROOF = "That is no proof that it is genuine: marks get lost or are removed, and other programs set none."
_KINDS = {Kind.SWAPPED_FACE: "an AI-generated face"}
_FIRST_YEAR = 2026
_MOST_SPANS = 12


def exit_code(verdict: Verdict) -> int:
    """0 marked, 3 no mark found."""
    return MARKED if verdict.marked else UNMARKED


def as_json(verdict: Verdict) -> dict[str, Any]:
    """What JSON can hold: numbers, texts, lists; the keys of ``Verdict`` and a few that follow from it."""
    found = asdict(verdict)
    spans = [_span_json(span) for span in verdict.spans]
    manifest = found["manifest"]
    if verdict.manifest is not None:
        manifest |= {"holds": verdict.manifest.holds}
    derived = {
        "format": FORMAT,
        "marked": verdict.marked,
        "marked_windows": verdict.marked_windows,
        "payload": _payload_json(verdict.payload),
    }
    return derived | found | {"spans": spans, "manifest": manifest}


def shown(verdict: Verdict) -> list[Shown]:
    """For people: a table of a few lines, and the verdict below it."""
    rows = [*_mark_rows(verdict), *_manifest_rows(verdict.manifest), *(("not seen", note) for note in verdict.notes)]
    titles = ["", *(title for title, _ in rows)]
    cells = [(title if title != before else "", line) for before, (title, line) in zip(titles, rows, strict=False)]
    return [verdict.name, table(("!", ""), cells), *_conclusion(verdict)]


def _mark_rows(verdict: Verdict) -> list[tuple[str, str]]:
    title = "invisible mark"
    if not verdict.windows:
        return [(title, "not looked for: no pictures")]
    if not verdict.spans:
        of = "in the picture" if verdict.frames == 1 else f"in any of {verdict.windows} windows"
        return [(title, f"not found {of}")]
    if verdict.frames == 1:
        rows = ["found in the picture"]
    else:
        places = [f"{clock(span.from_s, 1)} to {clock(span.to_s, 1)}" for span in verdict.spans[:_MOST_SPANS]]
        more = len(verdict.spans) - len(places)
        rows = [f"found in {verdict.marked_windows} of {verdict.windows} windows:"]
        rows += [f"  {place}" for place in places] + ([f"  and {more} more"] if more else [])
    rows.append(f"an unmarked file of this length looks like that {odds(verdict.false_positive)}")
    rows.append(f"it says: {said(verdict.payload)}" if verdict.payload else "what it says is too weak to be read")
    return [(title, row) for row in rows]


def _manifest_rows(manifest: ManifestReport | None) -> list[tuple[str, str]]:
    title = "C2PA manifest"
    if manifest is None:
        return [(title, "none")]
    states = {
        "trusted": "valid: unchanged since it was signed, by a trusted signer",
        "valid": "valid: unchanged since it was signed; who signed is not known",
    }
    where = ", in a file beside it" if manifest.sidecar else ""
    rows = [states.get(manifest.state, "INVALID: it does not fit this file, or was changed") + where]
    rows += [f"  {problem}" for problem in manifest.problems]
    rows.append(
        f"it says: {manifest.generator or 'no program'}; {', '.join(manifest.source_types) or 'no source type'}"
    )
    if manifest.earlier:
        rows.append("another program changed and signed the file after that")
    if manifest.signer:
        rows.append(f"certificate: {manifest.signer}, number {manifest.serial}")
    if manifest.input_sha256:
        rows.append(f"input: SHA-256 {manifest.input_sha256}")
    return [(title, row) for row in rows]


def _conclusion(verdict: Verdict) -> list[str]:
    if verdict.spans:
        return ["MARKED. It was made with rtswap: a face in it is synthetic."]
    if verdict.has_manifest:
        return ["MARKED. Its manifest says that it was made with rtswap: a face in it is synthetic."]
    if verdict.manifest is not None and verdict.manifest.by_rtswap:
        return [
            "No mark that holds was found. The manifest says rtswap but does not fit:",
            "the file was changed after it was signed, or the manifest taken from another one.",
            NO_PROOF,
        ]
    return ["No mark of rtswap was found.", NO_PROOF]


def said(payload: Payload) -> str:
    """``rtswap 0.1, an AI-generated face, 2026-11``"""
    kind = _KINDS.get(payload.kind, payload.kind.name.lower())
    return f"rtswap {payload.version[0]}.{payload.version[1]}, {kind}, {_month(payload)}"


def odds(chance: float) -> str:
    """``less than once in 10^9``, rounded to the unsure side. Beyond 10^12 no model of pictures is to be believed."""
    power = math.floor(-math.log10(max(chance, 1e-12)))
    return f"less than once in 10^{power}" if power >= 2 else f"{chance:.0%} of the time"


def _span_json(span: Span) -> dict[str, Any]:
    return asdict(span) | {"payload": _payload_json(span.payload)}


def _payload_json(payload: Payload | None) -> dict[str, Any] | None:
    if payload is None:
        return None
    return {
        "program": "rtswap",
        "version": f"{payload.version[0]}.{payload.version[1]}",
        "kind": payload.kind.name.lower(),
        "month": _month(payload),
    }


def _month(payload: Payload) -> str:
    return f"{_FIRST_YEAR + payload.month // 12}-{payload.month % 12 + 1:02}"
