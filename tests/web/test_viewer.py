"""What viewers get, and what it costs the frames: nothing is made that nobody waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from media_files import mark_picture, number_of

from rtswap.web import viewer as module
from rtswap.web.viewer import SHARES, TARGET_S, View, Viewer


def run(test: Callable[[Viewer, list[str]], Awaitable[Any]]) -> None:
    async def whole() -> None:
        told: list[str] = []
        viewer = Viewer(asyncio.get_running_loop(), told.append)
        try:
            await test(viewer, told)
        finally:
            viewer.stop()

    asyncio.run(whole())


def test_what_nobody_waits_for_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    resize = module.resize
    monkeypatch.setattr(module, "resize", lambda marked, *how: made.append(marked.index) or resize(marked, *how))

    async def test(viewer: Viewer, told: list[str]) -> None:
        viewer.send(replace(mark_picture(0), index=0))
        await asyncio.sleep(0)
        assert made == []
        assert viewer.seen.size == mark_picture(0).image.shape[1::-1]
        slow = [viewer.enter(View(64), 2.0), viewer.enter(View(64), 2.0)]
        for index in range(1, 5):
            viewer.send(replace(mark_picture(index), index=index))
            await asyncio.sleep(0)
        assert made == [1], "one is due, in one form for both"
        found = [await one.get() for one in slow]
        assert found[0] is found[1]
        assert found[0].image.shape[1] == 64
        for index in (5, 6, 7):
            viewer.send(replace(mark_picture(index), index=index))
            await asyncio.sleep(0)
        assert made in ([1], [1, 5]), "it is not due yet, or once"

    run(test)


def test_pictures_do_not_share_the_memory_of_the_loop() -> None:
    async def test(viewer: Viewer, told: list[str]) -> None:
        watcher, picture = viewer.enter(View()), mark_picture(7)
        viewer.send(picture)
        await asyncio.sleep(0)
        found = await watcher.get()
        assert not np.shares_memory(found.image, picture.image)
        assert number_of(found.image) == 7

    run(test)


def test_a_slow_machine_sends_smaller_pictures_and_says_so() -> None:
    async def test(viewer: Viewer, told: list[str]) -> None:
        watcher, plain = viewer.enter(View(adapts=True)), viewer.enter(View())
        whole = mark_picture(1)
        for _ in range(5):
            viewer.note_sent(replace(whole, captured_at=time.perf_counter() - 2 * TARGET_S))
        assert viewer.share == SHARES[1]
        assert told == ["pictures go to browsers at 75% of their size, for speed"]
        viewer.send(whole)
        await asyncio.sleep(0)
        height, width = whole.image.shape[:2]
        assert (await watcher.get()).image.shape[:2] == (height * 3 // 4, width * 3 // 4)
        assert (await plain.get()).image.shape[:2] == (height, width)
        for _ in range(100):
            viewer.note_sent(replace(whole, captured_at=time.perf_counter()))
        assert viewer.share == 1

    run(test)


def test_a_jpeg_is_made_once_for_all_and_few_are_kept() -> None:
    async def test(viewer: Viewer, told: list[str]) -> None:
        picture = mark_picture(1)
        one, other = await asyncio.gather(viewer.jpeg(picture, 64), viewer.jpeg(picture, 64))
        assert one is other
        for width in range(100, 130):
            await viewer.jpeg(picture, width)
        assert await viewer.jpeg(picture, 64) is not one

    run(test)
