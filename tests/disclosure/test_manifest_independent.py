"""Manifests checked without the library that wrote them: boxes are parsed, hashes recomputed and the signature
verified as specified (ISO 19566-5 JUMBF, RFC 8949 CBOR, RFC 9052 COSE, C2PA 2.2).

They were also read manually by an implementation that shares no code with ours: see docs/verify.md.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from media_files import make_clip

from rtswap.disclosure.certificate import SigningIdentity
from rtswap.disclosure.manifest import ManifestFacts, sign_file

FACTS = ManifestFacts("9.8.7", input_sha256="ab" * 32, input_format="video/mp4")
C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def cbor(data: bytes, at: int = 0) -> tuple[Any, int]:
    """One item and where the next begins. What manifests use: no floats, no indefinite lengths."""
    kind, small = data[at] >> 5, data[at] & 31
    at += 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(small, 0)
    value = int.from_bytes(data[at : at + size], "big") if size else small
    at += size
    if kind == 0:
        return value, at
    if kind == 1:
        return -1 - value, at
    if kind in (2, 3):
        raw = data[at : at + value]
        return (raw if kind == 2 else raw.decode()), at + value
    if kind == 4:
        items = []
        for _ in range(value):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    if kind == 5:
        pairs = {}
        for _ in range(value):
            key, at = cbor(data, at)
            pairs[key], at = cbor(data, at)
        return pairs, at
    if kind == 6:
        return cbor(data, at)
    return {20: False, 21: True, 22: None}[value], at


def cbor_bytes(data: bytes) -> bytes:
    """A byte string, written."""
    head = next(
        bytes([0x40 | code]) + len(data).to_bytes(size, "big")
        for code, size, limit in ((len(data) & 31, 0, 24), (24, 1, 256), (25, 2, 65536), (26, 4, 1 << 32))
        if len(data) < limit
    )
    return head + data


def boxes(data: bytes) -> list[tuple[bytes, bytes, int]]:
    """(type, content, offset of the whole box) of ISO boxes."""
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        assert head <= size <= len(data) - at
        found.append((kind, data[at + head : at + size], at))
        at += size
    assert at == len(data)
    return found


def jumbf(data: bytes) -> dict[str, Any]:
    """Label -> the raw content after the description, with the boxes inside by label."""
    inside = boxes(data)
    assert inside[0][0] == b"jumd"
    label = inside[0][1][17:].split(b"\0")[0].decode()
    children = [jumbf(content) for kind, content, _ in inside if kind == b"jumb"]
    values = [cbor(content)[0] for kind, content, _ in inside if kind == b"cbor"]
    raw = [content for kind, content, _ in inside if kind == b"cbor"]
    return {
        "label": label,
        "hashed": data,
        "value": values[0] if values else None,
        "raw": raw[0] if raw else b"",
        "in": {child["label"]: child for child in children},
    }


def in_png(data: bytes) -> tuple[bytes, int, int]:
    """The manifest store, and the span of its chunk."""
    at = 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"caBX":
            return data[at + 8 : at + 8 + size], at, at + 12 + size
        at += 12 + size
    raise AssertionError("no caBX chunk")


def in_jpeg(data: bytes) -> tuple[bytes, int, int]:
    """From APP11 segments: JP, instance, sequence, and the box's head repeated from the second on."""
    at, store, begin, end = 2, b"", 0, 0
    while data[at + 1] != 0xDA:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xEB and data[at + 4 : at + 6] == b"JP":
            store += data[at + 12 + (8 if store else 0) : at + 2 + size]
            begin, end = begin or at, at + 2 + size
        at += 2 + size
    return store, begin, end


def in_mp4(data: bytes) -> tuple[bytes, int, int]:
    for kind, content, at in boxes(data):
        if kind == b"uuid" and content[:16] == C2PA_UUID:
            rest = content[20:]  # version and flags
            purpose, rest = rest.split(b"\0", 1)
            assert purpose == b"manifest"
            return rest[8:], at, at + 8 + len(content)
    raise AssertionError("no C2PA box")


def store_of(path: Path) -> tuple[dict[str, Any], bytes, int, int]:
    data = path.read_bytes()
    store, begin, end = {".png": in_png, ".jpg": in_jpeg, ".mp4": in_mp4}[path.suffix](data)
    size = int.from_bytes(store[:4], "big")
    assert store[4:8] == b"jumb"
    root = jumbf(store[8:size])
    assert root["label"] == "c2pa"
    (manifest,) = root["in"].values()
    return manifest, data, begin, end


def check_signature(manifest: dict[str, Any]) -> x509.Certificate:
    """COSE_Sign1 over the claim, detached (RFC 9052, 4.4); the chain leads to its last certificate."""
    protected, _, payload, signature = manifest["in"]["c2pa.signature"]["value"]
    assert payload is None
    header = cbor(protected)[0]
    assert header[1] == -7  # ES256
    signer, authority = (x509.load_der_x509_certificate(der) for der in header[33])
    claim = manifest["in"]["c2pa.claim.v2"]["raw"]
    signed = b"\x84\x6aSignature1" + cbor_bytes(protected) + b"\x40" + cbor_bytes(claim)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key = signer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
    signer.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)
    return signer


def check_assertions(manifest: dict[str, Any]) -> None:
    """The claim names every assertion by the hash of its box's content."""
    claim = manifest["in"]["c2pa.claim.v2"]["value"]
    named = [*claim["created_assertions"], *claim.get("gathered_assertions", [])]
    assertions = manifest["in"]["c2pa.assertions"]["in"]
    assert {reference["url"].rsplit("/")[-1] for reference in named} == set(assertions)
    for reference in named:
        assertion = assertions[reference["url"].rsplit("/")[-1]]
        assert hashlib.sha256(assertion["hashed"]).digest() == reference["hash"]


def bmff_hash(data: bytes) -> bytes:
    """C2PA's c2pa.hash.bmff.v3: every box but the excluded, each preceded by its offset in 8 bytes."""
    digest = hashlib.sha256()
    found = boxes(data)
    ends = [at for _, _, at in found[1:]] + [len(data)]
    for (kind, content, at), end in zip(found, ends, strict=True):
        if kind in (b"ftyp", b"free", b"skip", b"mfra") or (kind == b"uuid" and content[:16] == C2PA_UUID):
            continue
        digest.update(struct.pack(">Q", at))
        digest.update(data[at:end])
    return digest.digest()


def recording(path: Path) -> Path:
    if path.suffix == ".mp4":
        make_clip(path, 8)
    else:
        cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8))
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "face.png", "face.jpg"])
def test_manifest_holds_by_the_letter_of_the_specifications(
    tmp_path: Path, identity: SigningIdentity, name: str
) -> None:
    path = recording(tmp_path / name)
    sign_file(path, FACTS, identity)
    manifest, data, begin, end = store_of(path)
    check_signature(manifest)
    check_assertions(manifest)
    assertions = manifest["in"]["c2pa.assertions"]["in"]
    if path.suffix == ".mp4":
        assert assertions["c2pa.hash.bmff.v3"]["value"]["hash"] == bmff_hash(data)
        return
    binding = assertions["c2pa.hash.data"]["value"]
    (left_out,) = binding["exclusions"]
    assert (left_out["start"], left_out["start"] + left_out["length"]) == (begin, end)
    assert hashlib.sha256(data[:begin] + data[end:]).digest() == binding["hash"]


@pytest.mark.parametrize("name", ["clip.mp4", "face.png", "face.jpg"])
def test_the_manifest_does_not_identify_its_author(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
    """Everything stated is read, not searched for by name alone: exactly these assertions, these texts."""
    folder = tmp_path / "Jane Doe"
    folder.mkdir()
    path = recording(folder / f"janes_{name}")
    sign_file(path, FACTS, identity)
    manifest, data, begin, end = store_of(path)
    inside = data[begin:end]
    for word in (b"Jane", b"janes_", tmp_path.name.encode()):
        assert word not in inside
    assertions = manifest["in"]["c2pa.assertions"]["in"]
    binding = "c2pa.hash.bmff.v3" if path.suffix == ".mp4" else "c2pa.hash.data"
    assert set(assertions) == {"c2pa.actions.v2", "c2pa.ingredient.v3", binding}
    ingredient = assertions["c2pa.ingredient.v3"]["value"]
    assert set(ingredient) == {"relationship", "dc:format", "instanceID", "description"}
    agent = {"name": "rtswap", "version": "9.8.7"}
    opened, edited, watermarked = assertions["c2pa.actions.v2"]["value"]["actions"]
    assert opened.pop("parameters")["ingredients"][0]["url"].endswith("c2pa.ingredient.v3")
    assert opened == {"action": "c2pa.opened", "softwareAgent": agent}
    assert edited.pop("description").startswith("A face was replaced")
    where = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    assert edited == {"action": "c2pa.edited", "softwareAgent": agent, "digitalSourceType": where}
    assert watermarked == {"action": "c2pa.watermarked.unbound", "softwareAgent": agent}
    claim = manifest["in"]["c2pa.claim.v2"]["value"]
    assert set(claim) <= {
        "instanceID", "claim_generator_info", "signature", "created_assertions", "gathered_assertions", "alg",
    }  # fmt: skip
    assert {k: v for k, v in claim["claim_generator_info"].items() if not k.startswith("org.contentauth")} == agent


def test_certificate_contains_no_name(tmp_path: Path, identity: SigningIdentity) -> None:
    path = recording(tmp_path / "face.png")
    sign_file(path, FACTS, identity)
    signer = check_signature(store_of(path)[0])
    names = {part.value for name in (signer.subject, signer.issuer) for part in name}
    assert names == {"rtswap local", "rtswap local CA"}
    assert (signer.not_valid_before_utc.month, signer.not_valid_before_utc.day) == (1, 1)


@pytest.mark.parametrize("name", ["clip.mp4", "face.png", "face.jpg"])
def test_the_checks_above_notice(tmp_path: Path, identity: SigningIdentity, name: str) -> None:
    path = recording(tmp_path / name)
    sign_file(path, FACTS, identity)
    manifest, data, begin, end = store_of(path)
    changed = bytearray(data)
    changed[-40 if begin < len(data) // 2 else begin - 40] ^= 1
    if path.suffix == ".mp4":
        assert manifest["in"]["c2pa.assertions"]["in"]["c2pa.hash.bmff.v3"]["value"]["hash"] != bmff_hash(changed)
    else:
        left = hashlib.sha256(bytes(changed[:begin] + changed[end:])).digest()
        assert left != manifest["in"]["c2pa.assertions"]["in"]["c2pa.hash.data"]["value"]["hash"]
    manifest["in"]["c2pa.claim.v2"]["raw"] += b"\0"
    with pytest.raises(Exception, match=r"^$"):  # cryptography's InvalidSignature says nothing
        check_signature(manifest)
