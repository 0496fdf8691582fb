"""WebRTC with a browser's part played by aiortc: codecs, several viewers, sound in step, and nothing left behind."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from media_files import mark_picture, number_of, numbered_picture, tone
from studio_client import Client

pytest.importorskip("aiortc")
from aioice import ice
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from rtswap.core.errors import UsageError
from rtswap.media.live_sound import LiveSound
from rtswap.web.access import LOOPBACK, Access
from rtswap.web.connections import Connections, Sound
from rtswap.web.low_delay import OnThisMachine
from rtswap.web.routes.offer import PEERS

SIZE = (320, 240)


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a network: both ends meet on the loopback device, which aioice alone leaves out."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: [])


class Numbers(VideoStreamTrack):
    """A camera that shows numbers."""

    count = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(numbered_picture(self.count % 64, SIZE), format="bgr24")
        frame.pts, frame.time_base = pts, time_base
        self.count += 1
        return frame


async def connected(
    connections: Connections, codec: str, *, camera: bool = False, changed: Callable[[str], str] = str
) -> tuple[RTCPeerConnection, Any]:
    """A browser, and the video track that it gets. ``changed``: its offer, on the way."""
    peer, tracks = RTCPeerConnection(), []
    peer.on("track", tracks.append)
    if camera:
        transceiver = peer.addTransceiver(Numbers(), direction="sendrecv")
    else:
        transceiver = peer.addTransceiver("video", direction="recvonly")
    known = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([one for one in known if one.mimeType == codec])
    await peer.setLocalDescription(await peer.createOffer())
    answer = await connections.answer(changed(peer.localDescription.sdp))
    assert codec.split("/")[1] in answer["sdp"]
    await peer.setRemoteDescription(RTCSessionDescription(**answer))
    return peer, tracks[0]


def in_studio(studio: Client, test: Callable[[Connections], Any]) -> None:
    """Run a test in the studio's event loop; nothing may be left in it once its browsers are gone."""

    async def whole() -> set[str]:
        connections = studio.app[PEERS].of(studio.studio)
        before = len(asyncio.all_tasks())
        await test(connections)
        end = time.monotonic() + 10
        while len(asyncio.all_tasks()) > before and time.monotonic() < end:
            await asyncio.sleep(0.05)
        assert connections.count == 0
        return {repr(one) for one in asyncio.all_tasks()} if len(asyncio.all_tasks()) > before else set()

    left = asyncio.run_coroutine_threadsafe(whole(), studio.loop).result(60)
    assert left == set()
    assert studio.studio.viewer.watchers == 0


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
def test_a_camera_comes_in_and_two_viewers_see_the_newest(studio: Client, codec: str) -> None:
    camera, viewer = studio.studio.camera, studio.studio.viewer
    came: list[tuple[float, int]] = []
    camera.put = lambda frame: came.append((time.perf_counter(), number_of(frame.to_ndarray(format="bgr24"))))

    async def test(connections: Connections) -> None:
        peers = [await connected(connections, codec, camera=True), await connected(connections, codec)]
        end = time.monotonic() + 20
        while len(came) < 10 or viewer.watchers < 2:
            assert time.monotonic() < end, (len(came), viewer.watchers)
            await asyncio.sleep(0.02)
        for number in range(40):
            viewer.send(replace(mark_picture(number, SIZE), captured_at=time.perf_counter()))
            await asyncio.sleep(1 / 30)
        for peer, track in peers:
            seen: list[int] = []
            with suppress(TimeoutError):
                while not seen or seen[-1] < 39:
                    frame = await asyncio.wait_for(track.recv(), 2)
                    seen.append(number_of(frame.to_ndarray(format="bgr24")))
            assert seen[-1] == 39, "the last does not wait for a next one"
            assert seen == sorted(seen)
            await peer.close()

    in_studio(studio, test)
    numbers = [number for _, number in came]
    assert len(set(numbers)) > 8


def test_a_studio_of_this_machine_asks_nobody_else(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers hide their address behind a name, for which aioice asks the network; an offer may name any address."""
    asked: list[str] = []
    send = ice.StunProtocol.send_stun
    monkeypatch.setattr(ice, "get_or_create_mdns_protocol", lambda _: pytest.fail("the network was asked"))
    monkeypatch.setattr(
        ice.StunProtocol, "send_stun", lambda self, message, to: (asked.append(to[0]), send(self, message, to))
    )

    def hidden(offer: str) -> str:
        names = iter(["0a1b2c3d-1111-2222-3333-444455556666.local", "203.0.113.77", "example.org"])
        line = re.compile(r"(a=candidate:\S+ \d udp \d+ )\S+ (\d+) typ host")
        found = line.search(offer)
        assert found is not None
        return line.sub(lambda _: "\r\n".join(f"{found[1]}{name} {found[2]} typ host" for name in names), offer, 1)

    async def test(connections: Connections) -> None:
        peer, _ = await connected(connections, "video/VP8", changed=hidden)
        end = time.monotonic() + 20
        while peer.connectionState != "connected":
            assert time.monotonic() < end, peer.connectionState
            await asyncio.sleep(0.02)
        await peer.close()

    in_studio(studio, test)
    assert set(asked) == {"127.0.0.1"}
    answered = OnThisMachine(ice_controlling=False)
    answered.request_received(None, ("203.0.113.7", 9), None)  # would look into the message


def test_an_offer_without_one_of_its_lines_is_good_or_refused(studio: Client) -> None:
    async def test(connections: Connections) -> None:
        peer = RTCPeerConnection()
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        lines = peer.localDescription.sdp.split("\r\n")
        await peer.close()
        refused = 0
        for number in range(len(lines)):
            try:
                await connections.answer("\r\n".join(lines[:number] + lines[number + 1 :]))
            except UsageError as error:
                refused += "not a WebRTC offer" in str(error)
            await connections.close()
        assert refused > 3

    in_studio(studio, test)


class Flashes(VideoStreamTrack):
    """White for a tenth of each half second."""

    count = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(
            np.full((*SIZE[::-1], 3), 255 * (self.count % 15 < 3), np.uint8), format="bgr24"
        )
        frame.pts, frame.time_base = pts, time_base
        self.count += 1
        return frame


class Beeps(AudioStreamTrack):
    """Sound while ``Flashes`` are white; 20 ms at a time, when they have been."""

    async def recv(self) -> av.AudioFrame:
        frame = await super().recv()
        loud = (frame.pts // frame.samples - 1) % 25 < 5
        whole = av.AudioFrame.from_ndarray(
            (8000 * loud * tone(frame.samples / frame.sample_rate, frame.sample_rate))
            .astype(np.int16)
            .reshape(1, -1),
            format="s16",
            layout="mono",
        )
        whole.sample_rate, whole.pts, whole.time_base = frame.sample_rate, frame.pts, frame.time_base
        return whole


def test_the_sound_of_a_browser_comes_in_step_with_its_pictures(studio: Client) -> None:
    camera = studio.studio.camera
    heard, flashes = camera.sound.listen(), list[tuple[float, bool]]()
    camera.put = lambda frame: flashes.append((time.perf_counter(), frame.to_ndarray(format="gray").mean() > 128))

    async def test(connections: Connections) -> None:
        peer = RTCPeerConnection()
        for track in (Flashes(), Beeps()):
            peer.addTransceiver(track, direction="sendonly")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await connections.answer(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(**answer))
        await asyncio.sleep(4)
        await peer.close()

    in_studio(studio, test)
    beeps = [(at, np.abs(frame.to_ndarray()).max() > 1000) for at, frame in heard]
    camera.sound.leave(heard)
    seen, loud = (
        [at for (at, on), (_, before) in zip(found[1:], found, strict=False) if on and not before]
        for found in (flashes, beeps)
    )
    apart = [min(loud, key=lambda at, when=when: abs(at - when)) - when for when in seen[1:-1]]
    assert len(apart) >= 4
    assert abs(np.median(apart)) < 0.06, apart


def test_only_a_studio_of_this_machine_alone_is_reached_by_loopback(studio: Client) -> None:
    async def candidates(loopback: bool) -> list[str]:
        connections = Connections(studio.studio, loopback=loopback)
        peer = RTCPeerConnection()
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await connections.answer(peer.localDescription.sdp)
        await asyncio.gather(connections.close(), peer.close())
        return [line.split()[4] for line in answer["sdp"].splitlines() if line.startswith("a=candidate")]

    assert Access(LOOPBACK).loopback
    assert not Access((*LOOPBACK, "0.0.0.0")).loopback
    for loopback, found in ((True, ["127.0.0.1"]), (False, [])):
        assert asyncio.run_coroutine_threadsafe(candidates(loopback), studio.loop).result(20) == found


def test_sound_is_on_one_clock_and_follows_the_session() -> None:
    async def run() -> None:
        sound = LiveSound(lambda event: None)
        studio = SimpleNamespace(sound=None, viewer=SimpleNamespace(age_s=0.1))
        track = Sound(studio)
        waiting = asyncio.create_task(track.recv())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        studio.sound = sound
        await asyncio.sleep(0.03)
        samples = (tone(0.3, 44_100) * 32_767).astype(np.int16).reshape(1, -1)
        began = time.perf_counter()
        for start in range(0, samples.shape[1] - 1024, 1024):
            frame = av.AudioFrame.from_ndarray(samples[:, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
            sound.take(frame, began + start / 44_100)
        first = await asyncio.wait_for(waiting, 5)
        found = [first, *[await asyncio.wait_for(track.recv(), 5) for _ in range(8)]]
        assert time.perf_counter() - began > 0.22, "it is not sent before its pictures are"
        assert {one.samples for one in found} == {960}
        assert [one.pts - first.pts for one in found] == [960 * at for at in range(9)]
        listeners = sound._listeners
        track.stop()
        assert listeners
        assert not sound._listeners

    asyncio.run(run())


def test_sound_goes_on_after_its_rate_has_changed() -> None:
    """A stream that came back, another microphone; and what would take gigabytes is left out."""

    async def run() -> None:
        told: list[str] = []
        studio = SimpleNamespace(sound=LiveSound(told.append), viewer=SimpleNamespace(age_s=0.0))
        track = Sound(studio)
        waiting = asyncio.create_task(track.recv())
        await asyncio.sleep(0.05)
        for rate, samples in ((48_000, 4800), (44_100, 4410), (1, 60_000), (44_100, 4410), (44_100, 4410)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.int16), format="s16", layout="mono")
            frame.sample_rate = rate
            studio.sound.take(frame, time.perf_counter() - 0.01)
        found = [await waiting, *[await asyncio.wait_for(track.recv(), 5) for _ in range(8)]]
        track.stop()
        assert {one.samples for one in found} == {960}
        assert len(told) == 1

    asyncio.run(run())
