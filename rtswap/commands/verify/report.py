"""Format a verdict as text, as JSON and as an exit code."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from rtswap.app.console import Shown
from rtswap.commands.reports.table import table
from rtswap.core.text import clock
from rtswap.disclosure.manifest import ManifestReport
from rtswap.disclosure.verdict import Verdict
from rtswap.disclosure.watermark import Kind, Payload

MARKED, UNMARKED = 0, 3
"""Exit codes. 1: cannot be read, 2: invalid flags."""
FORMAT = 1
"""Version of the JSON; increases when a key changes its meaning or is removed."""
NO_PROOF = "This does not prove that it is genuine: marks can be lost or removed, and other programs add none."
_KINDS = {Kind.SWAPPED_FACE: "an AI-generated face"}
_FIRST_YEAR = 2026
_MOST_SPANS = 12


def exit_code(verdict: Verdict) -> int:
    """Return 0 if marked, 3 if no mark was found."""
    return MARKED if verdict.marked else UNMARKED


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return the fields of ``Verdict`` and a few derived ones as JSON types."""
    found = asdict(verdict)
    spans = [asdict(span) | {"payload": _payload_json(span.payload)} for span in verdict.spans]
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


def format_verdict(verdict: Verdict) -> list[Shown]:
    """Format the verdict as a table with a conclusion below."""
    rows = [
        *_mark_rows(verdict),
        *_manifest_rows(verdict.manifest),
        *(("not checked", note) for note in verdict.notes),
    ]
    titles = ["", *(title for title, _ in rows)]
    cells = [(title if title != before else "", line) for before, (title, line) in zip(titles, rows, strict=False)]
    return [verdict.name, table(("!", ""), cells), *_conclusion(verdict)]


def _mark_rows(verdict: Verdict) -> list[tuple[str, str]]:
    title = "invisible mark"
    if not verdict.windows:
        return [(title, "not checked: no frames")]
    if not verdict.spans:
        whole = "in the picture" if verdict.frames == 1 else "in the video"
        of = whole if verdict.windows == 1 else f"in any of {verdict.windows} windows"
        return [(title, f"not found {of}")]
    if verdict.frames == 1:
        rows = ["found in the picture"]
    else:
        places = [f"{clock(span.from_s, 1)} to {clock(span.to_s, 1)}" for span in verdict.spans[:_MOST_SPANS]]
        more = len(verdict.spans) - len(places)
        rows = [f"found in {verdict.marked_windows} of {verdict.windows} windows:"]
        rows += [f"  {place}" for place in places] + ([f"  and {more} more"] if more else [])
    rows.append(f"an unmarked file of this length scores as high {odds(verdict.false_positive)}")
    rows.append(f"content: {format_payload(verdict.payload)}" if verdict.payload else "content: too weak to read")
    return [(title, row) for row in rows]


def _manifest_rows(manifest: ManifestReport | None) -> list[tuple[str, str]]:
    title = "C2PA manifest"
    if manifest is None:
        return [(title, "none")]
    states = {
        "trusted": "valid: unchanged since it was signed, by a trusted signer",
        "valid": "valid: unchanged since it was signed; unknown signer",
    }
    where = ", in a file beside it" if manifest.sidecar else ""
    rows = [states.get(manifest.state, "INVALID: does not match this file, or was changed") + where]
    rows += [f"  {problem}" for problem in manifest.problems]
    rows.append(
        f"content: {manifest.generator or 'no program'}; {', '.join(manifest.source_types) or 'no source type'}"
    )
    if manifest.earlier:
        rows.append("another program changed and signed the file later")
    if manifest.signer:
        rows.append(f"certificate: {manifest.signer}, serial {manifest.serial}")
    if manifest.input_sha256:
        rows.append(f"input: SHA-256 {manifest.input_sha256}")
    return [(title, row) for row in rows]


def _conclusion(verdict: Verdict) -> list[str]:
    if verdict.spans:
        return ["MARKED. rtswap made it: a face in it is synthetic."]
    if verdict.has_manifest:
        return ["MARKED. Its manifest says that rtswap made it: a face in it is synthetic."]
    if verdict.manifest is not None and verdict.manifest.by_rtswap:
        return [
            "No valid mark found. The manifest names rtswap but does not match the file:",
            "the file was changed after it was signed, or the manifest comes from another file.",
            NO_PROOF,
        ]
    return ["No rtswap mark found.", NO_PROOF]


def format_payload(payload: Payload) -> str:
    """``rtswap 0.1, an AI-generated face, 2026-11``"""
    kind = _KINDS.get(payload.kind, payload.kind.name.lower())
    return f"rtswap {payload.version[0]}.{payload.version[1]}, {kind}, {_month(payload)}"


def odds(chance: float) -> str:
    """Return ``less than once in 10^9``, rounded conservatively and capped at 10^12, beyond which no model of
    pictures is credible."""
    power = math.floor(-math.log10(max(chance, 1e-12)))
    return f"less than once in 10^{power}" if power >= 2 else f"{chance:.0%} of the time"


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
