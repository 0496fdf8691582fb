"""The browser's camera as an input, and the marked pictures as a video track, without a network."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import islice

import av
import pytest
from media_files import mark_picture, number_of, numbered_picture
from studio_client import Client

from rtswap.core.errors import InputError
from rtswap.web import browser_camera
from rtswap.web.browser_camera import BrowserCamera
from rtswap.web.viewer import Viewer


def frame_of(number: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(numbered_picture(number, (320, 240)), format="bgr24").reformat(format="yuv420p")


def test_the_newest_frame_wins_and_the_input_outlives_a_connection() -> None:
    camera = BrowserCamera(lambda event: None)
    assert camera.is_lost
    threading.Timer(0.05, lambda: camera.put(frame_of(1))).start()
    input = camera.opened()
    assert not camera.is_lost
    assert (input.info.width, input.info.height, input.info.live) == (320, 240, True)
    for number in (2, 3, 4):
        camera.put(frame_of(number))
    frames = input.frames()
    assert [number_of(frame.image) for frame in islice(frames, 2)] == [1, 4]
    threading.Timer(0.3, lambda: camera.put(frame_of(5))).start()
    assert number_of(next(frames).image) == 5, "a pause is no end"
    input.close()
    assert list(frames) == []
    camera.put(frame_of(6))


def test_no_picture_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_camera, "FIRST_PICTURE_S", 0.1)
    camera = BrowserCamera(lambda event: None)
    with pytest.raises(InputError, match="no picture came from the browser"):
        camera.opened()
    threading.Timer(0.02, camera.cancel).start()
    monkeypatch.setattr(browser_camera, "FIRST_PICTURE_S", 30)
    with pytest.raises(InputError, match="got an end"):
        camera.opened()


def test_the_track_takes_the_newest_picture_and_waits_for_the_next_session() -> None:
    pytest.importorskip("aiortc")
    from rtswap.web.connections import Pictures

    async def run() -> None:
        viewer = Viewer(asyncio.get_running_loop())
        track = Pictures(viewer)
        begun = asyncio.create_task(track.recv())
        await asyncio.sleep(0)
        for number in (0, 1, 2):
            viewer.send(mark_picture(number))
            await asyncio.sleep(0.01)
        assert number_of((await begun).to_ndarray(format="bgr24")) == 0
        first = await track.recv()
        assert number_of(first.to_ndarray(format="bgr24")) == 2
        viewer.end()
        waiting = asyncio.create_task(track.recv())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        viewer.send(mark_picture(3))
        second = await asyncio.wait_for(waiting, 5)
        assert number_of(second.to_ndarray(format="bgr24")) == 3
        assert second.pts > first.pts
        assert viewer.watchers == 1
        track.stop()
        assert viewer.watchers == 0
        viewer.stop()

    asyncio.run(run())


def test_what_is_no_offer_is_refused_and_nothing_stays(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiortc")
    from rtswap.web import connections
    from rtswap.web.routes.offer import PEERS

    monkeypatch.setattr(connections, "CONNECT_S", 0.2)

    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n"
    for sdp in ("", "hello", "v=0\r\n", "v=0\r\nm=video\r\n", f"v=0\r\n{video}", "v=0\r\n" + video * 40, "\0" * 1000):
        answer = studio.send("POST", "/api/offer", {"sdp": sdp, "type": "offer"})
        assert answer.status in (200, 422), (sdp, answer.data)
        assert answer.status == 200 or "offer" in answer.json()["detail"]
    end = time.monotonic() + 20
    while studio.app[PEERS].of(studio.studio).count:
        assert time.monotonic() < end, "who does not connect keeps a place"
        time.sleep(0.05)
