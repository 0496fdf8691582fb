"""A thousand malformed requests: none is a fault of the program, and none hangs."""

from __future__ import annotations

import json
import random
import string
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from studio_client import Client

REQUESTS = 500
SLOW_S = 10.0
KEYS = [
    *("input", "kind", "index", "url", "id", "confirmed", "main", "people", "source", "overwrite", "sdp", "type", ""),
    *("swap.strength", "mask.parts", "badge.look", "tracking.faces", "safety.empty_after", "__class__"),
]
KINDS = ["browser", "camera", "url", "clip", "given", "file", "", None]
WORDS = [
    *(
        "",
        "\0",
        "a" * 5000,
        "../../etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
        "rtsp://user:pw@[::1",
        "\ud800",
    ),
    *(
        "record",
        "vcam",
        "stream",
        "camera",
        "browser",
        "clip",
        "given",
        "main",
        "persona:ada",
        "v=0\r\nm=video 9 x y z",
    ),
    *("concat:/etc/passwd", "given'--", "<script>", "%00", "NaN", "1e999"),
]


def value(random: random.Random, depth: int = 0) -> Any:
    kinds = [
        lambda: random.choice(WORDS),
        lambda: random.choice([0, 1, -1, 255, 10**30, -0.5, 1e308, float("nan"), float("inf"), True, False, None]),
        lambda: "".join(random.choices(string.printable, k=random.randrange(40))),
    ]
    if depth < 4:
        kinds.append(lambda: [value(random, depth + 1) for _ in range(random.randrange(4))])
        kinds.append(lambda: {random.choice(KEYS): value(random, depth + 1) for _ in range(random.randrange(5))})
    return random.choice(kinds)()


def body(random: random.Random, names: list[str]) -> bytes:
    """``names``: fields that the request knows."""
    found = {random.choice(names or KEYS): value(random) for _ in range(random.randrange(1, 4))}
    if "input" in found and random.random() < 0.7:
        found = {"input": {key: value(random) for key in ("index", "url", "id")} | {"kind": random.choice(KINDS)}}
    if "people" in found and random.random() < 0.7:
        found = {"people": [{"id": random.choice([1, 2, -1, 10**20, "1"]), "source": value(random)}]}
    whole = json.dumps(found if random.random() < 0.8 else value(random)).encode()
    way = random.random()
    if way < 0.85:
        return whole
    if way < 0.9:
        return whole[: random.randrange(len(whole) + 1)]
    return random.choice([b"", b"[" * 20_000, b"\xff\xfe{}", random.randbytes(300), b'{"a":' * 9000, b"{}" * 40_000])


def path_of(random: random.Random, path: str) -> str:
    for word in ("output-1", "upload-1", "persona:ada", "..%2f..", "%00", "x" * 3000, "nothing"):
        if random.random() < 0.4 or word == "nothing":
            path = path.replace("{id}", word)
    return path + random.choice(["", "", "?width=9e9", "?fps=-1&width=%00", "?since=" + "9" * 400, "?name=%ff%fe<b>"])


@pytest.mark.parametrize("seed", range(2))
def test_malformed_requests_are_answered_with_problems(
    session: Client, seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # presets that it stores are read by no other test
    monkeypatch.setattr("rtswap.web.browser_camera.FIRST_PICTURE_S", 0.2)
    rng = random.Random(seed)
    described = session.get("/api/openapi.json")["paths"]
    operations = [(path, method, row) for path, rows in described.items() for method, row in rows.items()]
    statuses: Counter[int] = Counter()
    for _ in range(REQUESTS // 2):
        path, method, row = rng.choice(operations)
        schema = row.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        sent = body(rng, list(schema.get("properties", {})))
        kind = "application/json" if rng.random() < 0.9 else rng.choice(["text/plain", "/", "", "image/png"])
        method = method.upper() if rng.random() < 0.9 else rng.choice(["PATCH", "HEAD", "OPTIONS", "PUT", "POST"])
        asked = path_of(rng, path)
        if path == "/api/preview.mjpg" and method == "GET":
            asked = "/api/preview.mjpg?fps=0"  # a good one has no end
        began = time.monotonic()
        answer = session.send(method, asked, sent, {"Content-Type": kind}, timeout=30)
        statuses[answer.status] += 1
        told = (method, asked[:200], kind, sent[:300], answer.data[:300])
        assert answer.status < 500, told
        assert time.monotonic() - began < SLOW_S, told
        if answer.status >= 400 and method != "HEAD":
            assert answer.headers["content-type"].startswith("application/problem+json"), told
            assert len(answer.data) < 2000, told
    assert {200, 400, 405, 422} <= statuses.keys(), statuses
    assert session.get("/api/session")["state"] in ("running", "idle")
