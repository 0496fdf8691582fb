"""The report on a file's manifest, for people and programs. Its content is untrusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rtswap.disclosure.manifest_content import PROGRAM, hash_in

UNTRUSTED = "signingCredential.untrusted"
_MOST = 20
"""Maximum number of entries of a kind."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """A file's manifest.

    ``state``: ``valid``, the file is unchanged since it was signed, by anyone; ``trusted``, valid and signed with a
    certificate issued by a trusted authority; ``invalid``, the file, the manifest or the signature was changed.
    """

    state: str
    by_rtswap: bool
    """It names rtswap as the program. Anybody can write that; if the state is invalid it means nothing."""
    earlier: bool
    """rtswap's manifest is not the last: another program changed the file later and signed it again."""
    generator: str
    """``rtswap 0.1.0``"""
    source_types: tuple[str, ...]
    """IPTC terms, such as ``compositeWithTrainedAlgorithmicMedia``."""
    actions: tuple[str, ...]
    """``c2pa.edited``, ..."""
    input_sha256: str
    """Hash of the input file; empty if none is named."""
    signer: str
    """The name in the certificate; ``rtswap local`` for one created by rtswap."""
    serial: str
    """The certificate's serial number: equal for recordings signed on the same machine."""
    problems: tuple[str, ...]
    """C2PA's status codes, such as ``assertion.bmffHash.mismatch``. An untrusted signer is not listed, see
    ``state``."""
    sidecar: bool
    """True if the manifest is a separate file beside the recording."""

    @property
    def holds(self) -> bool:
        return self.state in ("valid", "trusted")


def report_of(store: object, *, sidecar: bool) -> ManifestReport:
    """Parse the JSON of c2pa's Reader without trusting its types."""
    root = _dict(store)
    manifests = _dict(root.get("manifests"))
    active = _dict(manifests.get(_text(root.get("active_manifest"))))
    ours = [manifest for manifest in [active, *map(_dict, manifests.values())] if _by_rtswap(manifest)]
    shown = ours[0] if ours else active
    signature = _dict(shown.get("signature_info"))
    inputs = [hash_in(_text(_dict(part).get("instance_id"))) for part in _list(shown.get("ingredients"))]
    return ManifestReport(
        state=_text(root.get("validation_state")).lower() or "invalid",
        by_rtswap=bool(ours),
        earlier=bool(ours) and shown is not active,
        generator=_generator(shown),
        source_types=_unique(_text(action.get("digitalSourceType")).rsplit("/")[-1] for action in _actions(shown)),
        actions=_unique(_text(action.get("action")) for action in _actions(shown)),
        input_sha256=next(filter(None, inputs), ""),
        signer=_text(signature.get("common_name")) or _text(signature.get("issuer")),
        serial=_text(signature.get("cert_serial_number")),
        problems=_problems(root),
        sidecar=sidecar,
    )


def _by_rtswap(manifest: dict[str, Any]) -> bool:
    return any(_text(_dict(info).get("name")) == PROGRAM for info in _list(manifest.get("claim_generator_info")))


def _generator(manifest: dict[str, Any]) -> str:
    for info in map(_dict, _list(manifest.get("claim_generator_info"))):
        return f"{_text(info.get('name'))} {_text(info.get('version'))}".strip()
    return _text(manifest.get("claim_generator"))


def _actions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for assertion in map(_dict, _list(manifest.get("assertions"))):
        if _text(assertion.get("label")).startswith("c2pa.actions"):
            yield from map(_dict, _list(_dict(assertion.get("data")).get("actions")))


def _problems(root: dict[str, Any]) -> tuple[str, ...]:
    codes = _unique(_text(_dict(status).get("code")) for status in _list(root.get("validation_status")))
    return tuple(code for code in codes if code != UNTRUSTED)


def _unique(words: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))[:_MOST]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Printable text only: untrusted text must not control the terminal."""
    return "".join(c if c.isprintable() else "?" for c in value[:_LONGEST]) if isinstance(value, str) else ""
