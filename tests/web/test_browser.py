"""The page in a real browser, whose camera is a clip. `make test-studio` sets it up; elsewhere these are skipped."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from mark_reading import is_film_marked
from media_files import make_clip
from people import group
from studio_page import LIVE_MS, OpenPage, axe, begin, expect, page_of

from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig
from rtswap.web.routes.offer import PEERS

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.skipif(
    "RTSWAP_SCREENSHOT" not in os.environ, reason="draws the picture of the docs: RTSWAP_SCREENSHOT=FILE"
)
def test_screenshot_for_the_docs(open_page: OpenPage) -> None:
    page, _ = open_page(color_scheme="dark")
    page.set_viewport_size({"width": 1440, "height": 1010})
    page.get_by_role("button", name="vera").click()
    begin(page)
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#clock")).to_contain_text("0:08", timeout=LIVE_MS)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=os.environ["RTSWAP_SCREENSHOT"], type="jpeg", quality=80)


def test_from_opening_the_page_to_a_recorded_clip(open_page: OpenPage, tmp_path: Path) -> None:
    page, client = open_page()
    page.get_by_role("button", name="ben").click()
    expect(page.get_by_role("button", name="ben")).to_have_attribute("aria-pressed", "true", timeout=LIVE_MS)
    begin(page)
    expect(page.locator(".face span")).to_have_text("ben")
    slider = page.get_by_role("slider", name="Likeness")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    client.until(lambda _: client.get("/api/config")["values"]["swap.strength"] == 0.7)
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#before")).to_be_visible()
    expect(page.locator("#live")).to_be_visible()
    page.get_by_role("slider", name="Divider").press("ArrowRight")
    page.get_by_role("button", name="Microphone on").click()
    assert page.evaluate("before.srcObject.getAudioTracks()[0].enabled") is False
    page.get_by_role("button", name="Microphone off").click()
    assert page.evaluate("heard.srcObject") is None, "an echo"
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#clock")).to_contain_text("0:02", timeout=LIVE_MS)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#toasts")).to_contain_text(f"is in {tmp_path}", timeout=LIVE_MS)
    with page.expect_download() as download:
        page.locator("#toasts").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == page.locator("#outputs b").first.inner_text()
    with page.expect_download() as download:
        page.locator("#outputs").get_by_role("link", name="Download").click()
    saved = tmp_path / "saved.mp4"
    download.value.save_as(saved)
    assert is_film_marked(saved)
    assert client.get("/api/status")["figures"]["faces"] == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Snapshot").click()
    named = re.fullmatch(r"rtswap-(\d{8}-\d{6})\.jpg", download.value.suggested_filename)
    assert named, "like a recording"
    assert abs(time.mktime(time.strptime(named[1], "%Y%m%d-%H%M%S")) - time.time()) < 60
    page.get_by_role("button", name="Stop").first.click()
    expect(page.locator("#state")).to_have_text("Ready", timeout=LIVE_MS)
    assert download.value.path()


def test_an_output_that_fails_is_told_and_is_off(open_page: OpenPage, caller: Path) -> None:
    page, _ = open_page(Config(input=InputConfig(address=str(caller))))
    expect(page.locator("#events")).to_have_text("What happens is told here.")
    begin(page)
    page.get_by_role("button", name="Stream…").click()
    page.get_by_role("textbox", name="rtmp, rtsp").fill("rtmp://127.0.0.1:1/live")
    page.get_by_role("button", name="Stream", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("cannot send to rtmp://127.0.0.1:1/live", timeout=LIVE_MS)
    expect(page.locator("#outputs")).to_contain_text("failed")
    expect(page.locator("#outputs").get_by_role("link")).to_have_count(0)
    expect(page.locator("#outputs").get_by_role("button")).to_have_count(0)


def test_messages_of_the_command_line_are_in_words_of_the_page(open_page: OpenPage) -> None:
    page, _ = open_page()

    def said(text: str) -> str:
        return str(page.evaluate("async (text) => (await import('/ui.js')).inPlainWords(text)", text))

    told = said("a head is covered. --faces all swaps everybody, --others show shows others")
    assert told == "a head is covered. “Swap: all” swaps everybody, “Other people: show” shows others"
    assert said("--blend poisson is slow") == "“Blend: poisson” is slow"
    assert said("two shows 2 faces (select another with --source-face N)") == "two shows 2 faces"
    assert said("no flag -- here") == "no flag -- here"


def test_photos_are_dropped_and_nothing_is_allowed_by_a_stray_key(open_page: OpenPage, tmp_path: Path) -> None:
    page, client = open_page()
    cv2.imwrite(str(tmp_path / "friends.png"), group("erik", "vera", size=360))
    page.locator("#photos").set_input_files(tmp_path / "friends.png")
    expect(page.locator("dialog")).to_contain_text("Is this allowed: friends?", timeout=LIVE_MS)
    expect(page.locator("#toasts")).to_have_text(
        re.compile("^friends shows 2 faces; using the largest, number . from")
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="friends ?")).to_be_visible()
    assert not next(one for one in client.get("/api/sources")["sources"] if one["name"] == "friends")["consent"]


def test_a_clip_is_heard_only_when_asked(open_page: OpenPage, tmp_path: Path) -> None:
    clip = tmp_path / "spoken.mp4"
    make_clip(clip, [np.full((90, 160, 3), 90, np.uint8)] * 30, fps=15, audio=True)
    page, client = open_page(Config(input=InputConfig(address=str(clip))))
    page.get_by_role("button", name="Start").click()
    switch = page.get_by_role("button", name="Sound off")
    expect(switch).to_be_enabled(timeout=LIVE_MS)
    assert page.evaluate("heard.srcObject") is None
    switch.click()
    expect(page.get_by_role("button", name="Sound on")).to_have_attribute("aria-pressed", "true")
    client.until(lambda _: page.evaluate("heard.currentTime") > 0.3)
    page.get_by_role("button", name="Sound on").click()
    assert page.evaluate("heard.srcObject") is None


def test_a_new_window_has_a_face_of_its_own(open_page: OpenPage) -> None:
    page, client = open_page()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="New window").click()
    other = opened.value
    other.get_by_role("button", name="carl").click()
    expect(other.get_by_role("button", name="carl")).to_have_attribute("aria-pressed", "true", timeout=LIVE_MS)
    id = other.url.rpartition("=")[2]
    assert client.get(f"/api/status?session={id}")["main"] == "persona:carl"
    assert client.get("/api/status")["main"] == "persona:ada"


def test_two_people_get_two_faces(open_page: OpenPage, tmp_path: Path) -> None:
    clip = tmp_path / "two.mp4"
    make_clip(clip, [group("erik", "vera", size=360)] * 30, fps=15)
    page, client = open_page(Config(input=InputConfig(address=str(clip))))
    page.get_by_text("Who, and safety").click()
    page.get_by_label("Swap", exact=True).select_option("all")
    begin(page)
    expect(page.locator(".face")).to_have_count(2, timeout=LIVE_MS)
    page.get_by_role("button", name="Person 2").click()
    page.locator("dialog").get_by_role("button", name="mei").click()
    found = client.until(lambda s: {p["source"] for p in s["people"]} == {"persona:ada", "persona:mei"})
    assert found["figures"]["faces"] == 2
    page.get_by_role("button", name="Person 1").click()
    page.get_by_role("button", name="Cover this person").click()
    client.until(lambda s: s["covered"])
    expect(page.locator(".face.covered")).to_have_count(1)


def test_a_lost_connection_comes_back(open_page: OpenPage) -> None:
    page, client = open_page()
    begin(page)
    connections = client.app[PEERS].of(client.studio)
    asyncio.run_coroutine_threadsafe(connections.close(), client.loop).result(20)
    expect(page.locator("#toasts")).to_contain_text("trying again", timeout=LIVE_MS)
    seen = client.get("/api/status")["events"][-1]["number"]
    frames = client.studio.camera.count
    client.until(lambda _: client.studio.camera.count > frames + 10)
    assert connections.count == 1
    assert client.get(f"/api/status?since={seen}")["state"] == "running"


PACED = """async () => {
  const { Camera } = await import("/camera.js"), camera = new Camera({}), rates = [];
  camera.peer = { getSenders: () => [{ track: { kind: "video" }, getParameters: () => ({ encodings: [{}] }),
    setParameters: async (set) => rates.push(set.encodings[0].maxFramerate) }] };
  let frames = 0, dropped = 0;
  const calm = (count) => Array(count).fill([20, 0]);
  for (const [fps, late] of [[3, 27], [60, 0], [18, 12], ...calm(4), [18, 12], ...calm(7), ...calm(30), [2, 28]])
    await camera.pace({ fps, frames: (frames += fps), dropped: (dropped += late) });
  return rates;
}"""


def test_the_camera_sends_what_the_studio_has_time_for(open_page: OpenPage) -> None:
    """Not by the first frames. Less at once when frames are dropped; more bit by bit, later after that failed."""
    assert open_page()[0].evaluate(PACED) == [18, 23, 18, 23, 28, 30, 10]


def test_several_watch_one_session(open_page: OpenPage, browser: Browser) -> None:
    page, client = open_page()
    begin(page)
    with page_of(browser, client) as other:
        expect(other.locator("#preview")).to_be_visible(timeout=LIVE_MS)
        other.locator(".face").first.wait_for()
        client.until(lambda _: client.studio.viewer.watchers >= 2)
        client.good("PUT", "/api/people", {"main": "persona:hiro"})
        for one in (page, other):
            expect(one.locator("#shelf [aria-pressed=true]")).to_have_text("hiro", timeout=LIVE_MS)
    client.until(lambda _: client.studio.viewer.watchers <= 1)


def test_a_page_that_comes_back_says_that_its_camera_is_gone(open_page: OpenPage) -> None:
    page, client = open_page()
    begin(page)
    assert client.get("/api/status")["waiting"] is False
    page.reload()
    expect(page.locator("#tag")).to_contain_text("Press Stop, then Start", timeout=LIVE_MS)
    page.get_by_role("button", name="Stop").first.click()
    expect(page.locator("#state")).to_have_text("Ready", timeout=LIVE_MS)
    begin(page)
    expect(page.locator("#tag")).to_be_hidden()


def test_narrow_and_with_the_keyboard_alone(open_page: OpenPage, caller: Path) -> None:
    page, client = open_page(Config(input=InputConfig(address=str(caller))))
    page.set_viewport_size({"width": 360, "height": 740})

    def tab_to(name: str) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if focused.count() and name in (focused.get_attribute("aria-label") or focused.inner_text()):
                return
        raise AssertionError(f"the keyboard does not reach {name}")

    tab_to("Start")
    page.keyboard.press("Enter")
    page.locator(".face").first.wait_for(timeout=LIVE_MS)
    tab_to("Person 1")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    tab_to("Record")
    page.keyboard.press("Space")
    expect(page.locator("#clock")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#outputs").get_by_role("link", name="Download")).to_be_visible(timeout=LIVE_MS)
    tab_to("carl")
    page.keyboard.press("Enter")
    client.until(lambda s: s["main"] == "persona:carl")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(open_page: OpenPage, caller: Path, scheme: str) -> None:
    page, _ = open_page(Config(input=InputConfig(address=str(caller))), color_scheme=scheme)

    def check(where: str) -> None:
        found = axe.Axe().run(page).response
        serious = [
            (one["id"], one["nodes"][0]["html"])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], where
        assert len(found["passes"]) > 15, "axe looked at little"

    check("idle")
    for summary in page.locator("summary").all()[1:]:
        summary.click()
    begin(page)
    check("running, all settings open")
    page.locator(".face").first.click()
    check("a dialog")
