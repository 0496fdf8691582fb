"""The content of a manifest: what was done, by which program, to which input. Nothing about who did it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtswap.core.files import sha256_of

PROGRAM = "rtswap"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
GENERATED = "trainedAlgorithmicMedia"
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_INPUT = "input"
_HASH_NAME = "ni:///sha-256;"
"""RFC 6920: a name that is a hash."""


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """The statements of a manifest. No names, no paths, no times, nothing of the source photo."""

    version: str
    """Version of rtswap."""
    input_sha256: str = ""
    """Hex digest of the input file (``hash_input``). Empty for cameras and streams, which leave nothing to
    compare."""
    input_format: str = ""
    """Media type of the input, such as ``video/mp4``."""
    generated: bool = False
    """The complete frame is synthetic, not only the face."""
    badge: bool = True
    """The visible label is drawn."""
    watermark: bool = True
    """The invisible mark is embedded."""


def hash_input(path: Path) -> str:
    """SHA-256 of the file in hex; empty if it cannot be read."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def definition(facts: ManifestFacts) -> dict[str, Any]:
    """The manifest in the form that c2pa's Builder takes. Actions are in chronological order; C2PA requires the first
    to be ``opened``, naming the input, or ``created``."""
    agent = {"name": PROGRAM, "version": facts.version}
    change = {
        "softwareAgent": agent,
        "digitalSourceType": _SOURCE_TYPES + (GENERATED if facts.generated else COMPOSITE),
        "description": _description(facts),
    }
    actions: list[dict[str, Any]] = [{"action": "c2pa.created", **change}]
    if facts.input_sha256:
        opened = {"action": "c2pa.opened", "softwareAgent": agent, "parameters": {"ingredientIds": [_INPUT]}}
        actions = [opened, {"action": "c2pa.edited", **change}]
    if facts.watermark:
        actions.append({"action": "c2pa.watermarked.unbound", "softwareAgent": agent})
    return {
        "claim_version": 2,
        "claim_generator_info": [agent],
        "ingredients": [_ingredient(facts)] if facts.input_sha256 else [],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}, "created": True}],
    }


def hash_in(instance_id: str) -> str:
    """The hash, in hex, that ``_ingredient`` wrote; empty for other names."""
    if not instance_id.startswith(_HASH_NAME):
        return ""
    text = instance_id.removeprefix(_HASH_NAME)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except ValueError:
        return ""


def _ingredient(facts: ManifestFacts) -> dict[str, Any]:
    """The input, identified only by its hash: its own manifest, thumbnail and name are not copied."""
    named = base64.urlsafe_b64encode(bytes.fromhex(facts.input_sha256)).decode().rstrip("=")
    found = {
        "label": _INPUT,
        "relationship": "parentOf",
        "instance_id": _HASH_NAME + named,
        "description": f"SHA-256 of the input file: {facts.input_sha256}",
    }
    return found | ({"format": facts.input_format} if facts.input_format else {})


def _description(facts: ManifestFacts) -> str:
    what = "An AI-generated picture." if facts.generated else "A face was replaced by an AI-generated one."
    label = "It carries a visible label" if facts.badge else "It carries no visible label"
    mark = "and an invisible mark." if facts.watermark else "and no invisible mark."
    return f"{what} {label} {mark}"
