"""What `scripts/attack.py` attacks with: files of every kind that rtswap reads, mutations, flags, servers."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from foreign_models import dfm, swapper
from heic_sample import heic
from media_files import make_clip
from PIL import Image as Pillow
from web_servers import serve

from rtswap.vision.talking_head import persona

VERA = ["-s", "persona:vera"]
COMMANDS = [
    [*VERA, "-i", "FILE", "-o", "out.mp4"],
    [*VERA, "-i", "FILE", "-o", "out.mp4", "-o", "out/"],
    [*VERA, "-i", "FILE", "-o", "out.mkv", "--faces", "all", "--metrics", "m.jsonl"],
    [*VERA, "-i", "FILE", "-o", "out.webm", "--start", "0.1"],
    [*VERA, "-i", "FILE", "-o", "out.gif"],
    [*VERA, "-i", "FILE", "-o", "out.png"],
    [*VERA, "-i", "FILE", "-o", "null", "--json"],
    ["-s", "FILE", "-i", "clip.mp4", "-o", "out.mp4", "--i-have-consent"],
    ["-s", "FILE", "-i", "face.png", "-o", "out.png", "--i-have-consent"],
    ["inspect", "FILE", "-o", "seen"],
    ["inspect", "--source", "FILE", "--i-have-consent", "-o", "out.png"],
    ["extract", "FILE", "face.png", "--out", "faces"],
    ["verify", "FILE"],
    ["verify", "FILE", "--json"],
    ["models", "add", "FILE", "--name", "x", "--i-have-consent"],
    ["build", "FILE"],
    ["--config", "FILE", *VERA, "-i", "clip.mp4", "-o", "out.mp4"],
    ["config", "--config", "FILE"],
    [*VERA, "-i", "clip.mp4", "-o", "out.mp4", "--metrics", "FILE"],
    [*VERA, "-i", "clip.mp4", "-o", "out.mp4", "--sign-with", "FILE", "--sign-key", "FILE"],
    ["forget", "FILE"],
    [*VERA, "-i", "face.png", "-o", "out.png", "--swapper", "FILE"],
    ["--swapper", "FILE", "-i", "clip.mp4", "-o", "out.mp4"],
    ["eval", "--sources", ".", "--pairs", "1", "--i-have-consent", "--out", "seen"],
    ["eval", "--clips", "FILE", "--pairs", "1", "--i-have-consent", "--out", "seen"],
    ["eval", "--swapper", "FILE", "--pairs", "1", "--i-have-consent", "--out", "seen"],
    ["eval", "--sources", ".", "--swapped", ".", "--judge", "FILE", "--i-have-consent", "--out", "seen"],
    ["bench", "--seconds", "0.3", "--out", "FILE"],
    ["bench", "--seconds", "0.3", "--swapper", "FILE"],
    ["bench", "--seconds", "0.3", "--streams", "2"],
    ["doctor"],
    ["doctor", "--json"],
    ["personas", "--sheet", "out.png", "--json"],
    ["personas", "--sheet", "FILE"],
    ["train", "df", "--data", "FILE", "--data", ".", "--out", "run", "--minutes", "0.01"],
    ["train", "fsgan", "--data", "FILE", "--out", "FILE", "--minutes", "0.01"],
    ["models"],
    ["completion", "FILE"],
]
STUDIO = ["studio", "--port", "PORT", "--recordings", "out", "-i", "FILE", "--config", "settings.toml"]
FLAGS = (  # noqa: SIM905
    "-s -i -o -y --swap --also --source-face --size --fps --start --end --duration --codec --crf --bitrate "
    "--no-audio --faces --follow --min-face --thresholds --swapper --expression --strength --color --detail --blend "
    "--finish --mask --parts --keep --on-failure --empty-after --others --pass-through --badge --badge-language "
    "--no-badge --sign-with --sign-key --unmarked --budget --engine --threads --metrics --log --json --quiet "
    "--stats --tls-ca --hwaccel --every --template --size --format --embeddings --out --window --as --name --all "
    "--force --batch --target --precision"
).split()
ODD = [
    "", " ", "-1", "0", "1", "1e999", "nan", "inf", "0.5", "99999999999999999999", "\udcff", "%s%n", "%05d.png",
    "é😀", "x" * 5000, "/dev/zero", "/dev/full", "/dev/null", "/proc/self/mem", "/etc/passwd", ".", "..", "/", "~",
    "~nobody/x", "out.mp4", "out/", "nowhere/out.mp4", "null", "window", "vcam", "vcam:", "file:///etc/passwd",
    "left=face.png", "1=persona:ada", "=", "a=b", "persona:", "persona:nobody", "persona:random", "all", "none",
    "h264", "libx264", "mpeg4", "vp9", "1:00:00", "0:0:0.1", "16x16", "16384x16384", "0x0", "light", "idt",
    "poisson", "blur", "hold", "stop", "udp://127.0.0.1:9", "rtmp://127.0.0.1:9/a", "http://127.0.0.1:9/a.mp4",
    "https://127.0.0.1:9/", "srt://127.0.0.1:9", "tcp://127.0.0.1:9", "http://[::1", "http://127.0.0.1:99999/",
    "concat:a|b", "data:,x", "--", "-", "onnxruntime", "hull,skin", "eyes", "*.png", "[", "**", "\x1b[31m", "a\nb",
]  # fmt: skip
SURROUNDINGS = [
    "no home", "other language", "C locale", "few handles", "small files", "little memory", "full disk", "read only",
    "closed output", "full output", "gone folder", "full disk here", "jumping clock", "broken part", "broken part",
    "broken part",
]  # fmt: skip


@cache
def face_picture() -> Any:
    """Ben, 240x240."""
    return cv2.resize(persona("ben"), (240, 240), interpolation=cv2.INTER_AREA)


def make_seeds(folder: Path) -> dict[str, Path]:
    """Files of every kind that rtswap reads: name -> path."""
    folder.mkdir()
    face = face_picture()
    pictures = [np.roll(face, n, 1) for n in (0, 1, 2, 1, 0, 0)]
    for name, options in {
        "clip.mp4": {"audio": True}, "clip.mkv": {"audio": True}, "clip.mov": {}, "clip.ts": {}, "clip.flv": {},
        "clip.avi": {"codec": "mpeg4"}, "clip.webm": {"codec": "libvpx"},
    }.items():  # fmt: skip
        audio_codec = "libopus" if name.endswith("webm") else "aac"
        make_clip(folder / name, pictures, audio_codec=audio_codec, **options)  # type: ignore[arg-type]
    first, *others = (Pillow.fromarray(np.ascontiguousarray(p[..., ::-1])) for p in pictures)
    for suffix in ("gif", "webp", "png", "avif"):
        first.save(folder / f"moving.{suffix}", save_all=True, append_images=others, duration=40)
    for suffix in ("png", "jpg", "webp", "tif", "bmp"):
        cv2.imwrite(str(folder / f"face.{suffix}"), face)
    first.save(folder / "rich.jpg", exif=Pillow.Exif().tobytes(), icc_profile=b"\0" * 300, comment=b"x" * 50)
    first.convert("CMYK").save(folder / "cmyk.jpg")
    Pillow.fromarray(np.dstack([face, face[..., 0]])).save(folder / "alpha.png")
    (folder / "photo.heic").write_bytes(heic())
    (folder / "net.onnx").write_bytes(swapper("inswapper"))
    (folder / "me.dfm").write_bytes(dfm())
    (folder / "other.onnx").write_bytes(swapper("simswap"))
    (folder / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\nclip.mp4\n#EXTINF:1.2,\nclip.mp4\n#EXT-X-ENDLIST\n"
    )
    (folder / "settings.toml").write_text(
        '[swap]\nstrength = 0.8\nfinishes = []\n[mask]\nmasks = ["hull"]\n[tracking]\nmin_face = 35\n'
        '[safety]\nempty_after = "2s"\n[output]\nto = ["out.mp4"]\n[engine]\nthreads = 1\n'
    )
    (folder / "faces.json").write_text(json.dumps({"version": 1, "faces": [{"file": "a.png", "yaw": float("nan")}]}))
    (folder / "metrics.jsonl").write_text('{"frames": 1}\n{"frames": NaN}\n')
    np.savez(folder / "points.npz", x=np.full((4, 2), np.nan))
    shutil.make_archive(str(folder / "pack"), "zip", folder, "net.onnx")
    (folder / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return {path.name: path for path in sorted(folder.iterdir())}


def mutate(data: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """``data`` with up to eight damages."""
    for _ in range(rng.integers(1, 9)):
        size = len(data)
        at, end = sorted(int(n) for n in rng.integers(0, size + 1, 2))
        length = min(end - at, int(rng.choice([1, 4, 16, 200, 5000])))
        match rng.integers(10):
            case 0:
                data = data[:at]
            case 1 | 2 if size:
                at = int(rng.integers(size if rng.random() < 0.5 else min(size, 400)))
                data = data[:at] + bytes([int(rng.integers(256))]) + data[at + 1 :]
            case 3 | 4:  # a number at its limit, in either order of bytes
                number = int(
                    rng.choice(
                        [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 100_000, int(rng.integers(1 << 32))]
                    )
                )
                at = int(rng.integers(min(size, 400 if rng.random() < 0.5 else size) + 1))
                data = data[:at] + struct.pack(rng.choice([">I", "<I"]), number) + data[at + 4 :]
            case 5:
                data = data[:at] + data[at + length :]
            case 6:
                data = data[:at] + data[at : at + length] * int(rng.choice([2, 2, 50])) + data[at + length :]
            case 7:
                data = data[:at] + rng.bytes(length) + data[at + length :]
            case 8:
                other = others[rng.integers(len(others))]
                cut = int(rng.integers(len(other) + 1))
                data = data[:at] + other[cut : cut + 20_000]
            case 9:
                data = data[:at] + bytes(length) + data[at + length :]
    return data[:4_000_000]


def write_jumping_clock(folder: Path) -> Path:
    """Write what makes the clock jump by up to a week at every look, into ``folder``, which is to be on the path."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import random, time\n"
        "now, now_ns = time.time, time.time_ns\n"
        "jump = lambda: random.choice([0, 0, 1, -1, 3600, -3600, 604800, -604800, -1.8e9])\n"
        "time.time = lambda: now() + jump()\n"
        "time.time_ns = lambda: now_ns() + int(jump() * 1e9)\n"
    )
    return folder


def knock(port: int, rng: np.random.Generator) -> None:
    """Send a server requests that no browser sends."""
    lines = [
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"\0" * 3000, b"GET /" + b"a" * 70_000,
        b"POST /api/sources HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nx", rng.bytes(500),
        b"GET /api/status HTTP/9.9\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]  # fmt: skip
    for _ in range(5):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as server:
            server.sendall(lines[rng.integers(len(lines))])
            server.settimeout(0.2)
            server.recv(1000)


@contextmanager
def serve_badly(folder: Path) -> Iterator[list[str]]:
    """Addresses at servers that drip, stall, hang up, lead in circles, lie about the length or send other things."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    def reply(path: str) -> Any:
        kind, _, name = path.strip("/").partition("/")
        data = files.get(name, b"")
        return {
            "good": (200, {"Content-Length": str(len(data))}, data),
            "short": (200, {"Content-Length": str(9 * len(data))}, data),
            "half": (200, {"Content-Length": str(len(data))}, data[: len(data) // 2]),
            "drip": (200, {"Content-Length": "100000"}, None),
            "circle": (302, {"Location": path}, b""),
            "away": (302, {"Location": "file:///etc/passwd"}, b""),
            "nowhere": (302, {}, b""),
            "error": (500, {}, b"x"),
            "negative": (200, {"Content-Length": "-5"}, data),
            "chunks": (200, {"Transfer-Encoding": "chunked"}, b"zz\r\n" + data),
        }.get(kind)

    silent = socket.create_server(("127.0.0.1", 0))
    abrupt = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        while True:
            try:
                client, _ = abrupt.accept()
            except OSError:
                return
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    threading.Thread(target=hang_up, daemon=True).start()
    kinds = "good", "short", "half", "drip", "circle", "away", "nowhere", "error", "negative", "chunks", "never"
    with serve(reply) as base:
        found = [
            f"{base}{kind}/{name}" for kind in kinds for name in ("clip.mp4", "list.m3u8", "face.png", "clip.webm")
        ]
        ports = [one.getsockname()[1] for one in (silent, abrupt)]
        schemes = ("http", "https", "rtsp", "rtmp", "rtmps", "tcp")
        found += [f"{scheme}://127.0.0.1:{port}/a.mp4" for scheme in schemes for port in ports]
        yield found
    silent.close()
    abrupt.close()
