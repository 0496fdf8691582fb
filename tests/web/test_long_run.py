"""A long session whose viewers come and go: RTSWAP_LONG_RUN_S seconds, as in `make test-studio`."""

from __future__ import annotations

import asyncio
import gc
import http.client
import os
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from media_files import make_clip
from studio_client import Client, run_studio

from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig
from rtswap.vision.caller import caller_layers
from rtswap.vision.resample import resized
from rtswap.web.routes.offer import PEERS

SECONDS = float(os.environ.get("RTSWAP_LONG_RUN_S", "0"))
VISIT_S, WARM_SHARE, MOST_MB = 10.0, 0.4, 5.0
pytestmark = [
    pytest.mark.skipif(not SECONDS, reason="takes minutes: make test-studio"),
    pytest.mark.timeout(SECONDS + 120),
]


def read_preview(client: Client, seconds: float) -> int:
    """Watch as OBS does; returns the number of bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    connection.request("GET", "/api/preview.mjpg?fps=15")
    response, end, count = connection.getresponse(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        count += len(response.read(65_536))
    connection.close()
    return count


async def watch(client: Client, seconds: float) -> int:
    """Watch and listen as a browser does; returns the number of pictures."""
    from aiortc import RTCPeerConnection, RTCSessionDescription

    peer, tracks, count = RTCPeerConnection(), [], 0
    peer.on("track", tracks.append)
    for kind in ("video", "audio"):
        peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    answer = await client.app[PEERS].of(client.studio).answer(peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(**answer))
    video, audio = sorted(tracks, key=lambda one: one.kind, reverse=True)

    async def hear() -> None:
        while True:
            await audio.recv()

    hearing, end = asyncio.create_task(hear()), time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.wait_for(video.recv(), 20)
        count += 1
    hearing.cancel()
    await asyncio.wait({hearing})
    await peer.close()
    return count


def test_memory_is_flat_and_nothing_is_left_behind(tmp_path: Path) -> None:
    pytest.importorskip("aiortc")
    clip = tmp_path / "clip.mp4"
    still = resized(caller_layers().still(), (640, 360))
    make_clip(clip, [still] * 60, fps=30, audio=True)
    with run_studio(Config(input=InputConfig(address=str(clip))), tmp_path) as client:
        client.good("POST", "/api/session", {"input": {"kind": "given"}})
        client.until(lambda status: status["figures"].get("faces"))
        process, began = psutil.Process(), time.monotonic()
        rows: list[tuple[int, float, int, int]] = []

        def tasks() -> int:
            async def count() -> int:
                return len(asyncio.all_tasks())

            return asyncio.run_coroutine_threadsafe(count(), client.loop).result(20)

        def in_loop(work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, client.loop).result(VISIT_S + 60)

        while time.monotonic() - began < SECONDS:
            read: list[int] = []
            viewer = threading.Thread(target=lambda into=read: into.append(read_preview(client, VISIT_S)))
            viewer.start()
            pictures = in_loop(watch(client, VISIT_S))
            viewer.join(VISIT_S + 60)
            assert pictures > VISIT_S * 2, pictures
            assert read[0] > 10_000, read
            client.until(lambda _: client.studio.viewer.watchers == 0)
            time.sleep(0.5)
            gc.collect()
            rss = process.memory_info().rss / 1e6
            rows.append((round(time.monotonic() - began), round(rss, 1), tasks(), process.num_threads()))
            print("{} s: {} MB, {} tasks, {} threads".format(*rows[-1]), flush=True)
    warm = [row for row in rows if row[0] > WARM_SHARE * SECONDS]
    half = len(warm) // 2
    first, last = (sorted(row[1] for row in part)[len(part) // 2] for part in (warm[:half], warm[half:]))
    assert last - first <= MOST_MB, rows
    assert len({row[2] for row in warm}) <= 2, rows
    assert warm[-1][2] <= rows[0][2], rows
    assert warm[-1][3] <= warm[0][3] + 2, rows
