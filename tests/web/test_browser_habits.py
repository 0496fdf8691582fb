"""What people do with the page: change their mind, drop files, open it twice, mistype, forbid the microphone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from people import group
from studio_client import run_studio
from studio_page import LIVE_MS, OpenPage, begin, expect, launched, page_of

from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DROP = """([name, type, bytes, at]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const set = { bubbles: true, cancelable: true, dataTransfer: files };
  return ["dragover", "drop"].map((kind) => !document.querySelector(at).dispatchEvent(new DragEvent(kind, set)));
}"""


def chosen(page: Page) -> str:
    return str(page.eval_on_selector("#input", "list => list.selectedOptions[0].text"))


def test_a_picture_goes_on_until_another_is_there(open_page: OpenPage, caller: Path) -> None:
    """*Open a clip* began the first input of the list at once."""
    page, client = open_page(Config(input=InputConfig(address=str(caller))))
    page.locator("#clip").set_input_files(caller.with_name("caller.mp4"))
    expect(page.locator("#hint")).to_have_text("The clip is there. Press Start.", timeout=LIVE_MS)
    begin(page)
    asked = client.get("/api/status")["asked"]
    assert asked["kind"] == "clip"
    with page.expect_file_chooser():
        page.locator("#input").select_option(label="Open a clip…")
    page.locator("#input").select_option(label="Network address…")
    page.keyboard.press("Escape")
    frames = client.get("/api/status")["figures"]["frames"]
    found = client.until(lambda status: status["figures"].get("frames", 0) > frames + 20)
    assert found["asked"] == asked
    assert [one["text"] for one in found["events"] if one["text"].startswith("live")] == ["live: caller.mp4"]
    assert chosen(page) == "caller.mp4"


def test_the_list_shows_what_runs(open_page: OpenPage, browser: Browser, caller: Path) -> None:
    """After a reload, and in another tab, it showed the first input."""
    page, client = open_page()
    page.locator("#clip").set_input_files(caller)
    expect(page.locator("#hint")).to_have_text("The clip is there. Press Start.", timeout=LIVE_MS)
    begin(page)
    page.reload()
    page.locator(".face").first.wait_for(timeout=LIVE_MS)
    assert chosen(page) == "caller.mp4"
    with page_of(browser, client) as other:
        other.locator(".face").first.wait_for(timeout=LIVE_MS)
        assert chosen(other) == "caller.mp4"


def test_pages_follow_each_other(open_page: OpenPage, browser: Browser, tmp_path: Path) -> None:
    """A slider that was moved, and a photo that was added in one of two tabs, stayed unknown to the other."""
    page, client = open_page()
    cv2.imwrite(str(tmp_path / "friend.png"), group("erik", size=360))
    with page_of(browser, client) as other:
        slider = other.get_by_role("slider", name="Likeness")
        slider.focus()
        slider.press("ArrowLeft")
        client.good("POST", "/api/sources?name=friend", (tmp_path / "friend.png").read_bytes())
        for one in (page, other):
            expect(one.get_by_role("slider", name="Likeness")).to_have_value("0.95", timeout=LIVE_MS)
            expect(one.get_by_role("button", name="friend ?")).to_be_visible(timeout=LIVE_MS)


def test_a_window_whose_studio_has_ended_shows_the_new_one(browser: Browser, tmp_path: Path) -> None:
    """It said *No connection* for ever, also after a reload; the other one kept faces that were gone."""
    with run_studio(Config(), tmp_path) as first, page_of(browser, first) as page:
        page.goto(f"http://127.0.0.1:{first.port}/?session={first.good('POST', '/api/sessions', {})['id']}")
        expect(page.locator("#state")).to_have_text("Ready", timeout=LIVE_MS)
        first.good("DELETE", f"/api/sessions/{page.url.rpartition('=')[2]}")
        page.wait_for_url(f"http://127.0.0.1:{first.port}/", timeout=LIVE_MS)
        expect(page.locator("#state")).to_have_text("Ready", timeout=LIVE_MS)
        with page.expect_navigation(timeout=LIVE_MS):
            first.studio.id = "another"
        expect(page.locator("#state")).to_have_text("Ready", timeout=LIVE_MS)


def test_files_are_dropped_anywhere(open_page: OpenPage, caller: Path, tmp_path: Path) -> None:
    """Beside the shelf the browser opened them in the place of the page; on it, clips were ignored."""
    page, client = open_page()
    cv2.imwrite(str(tmp_path / "friend.png"), group("erik", size=360))
    photo = list((tmp_path / "friend.png").read_bytes())
    assert page.evaluate(DROP, ["friend.png", "image/png", photo, "#stage"]) == [True, True]
    expect(page.locator("dialog")).to_contain_text("Is this allowed: friend?", timeout=LIVE_MS)
    page.keyboard.press("Escape")
    page.evaluate(DROP, ["caller.mp4", "video/mp4", list(caller.read_bytes()), "#shelf"])
    expect(page.locator("#hint")).to_have_text("The clip is there. Press Start.", timeout=LIVE_MS)
    page.evaluate(DROP, ["notes.txt", "text/plain", [104, 105], "body"])
    expect(page.locator("#toasts")).to_contain_text("cannot read notes.txt; expected a video", timeout=LIVE_MS)
    expect(page.locator("#hint")).to_have_text("The clip is there. Press Start.")
    assert [one["name"] for one in client.get("/api/inputs")["clips"]] == ["caller.mp4"]


def test_what_was_mistyped_is_said_in_words_of_the_page(open_page: OpenPage) -> None:
    page, client = open_page()
    page.locator("#input").select_option(label="Network address…")
    page.locator("dialog input").fill("192.168.1.20:8554/stream")
    page.keyboard.press("Enter")
    said = "expected a URL such as rtsp://192.168.1.20/stream"
    expect(page.locator("#toasts")).to_contain_text(said, timeout=LIVE_MS)
    expect(page.locator("#toasts")).to_contain_text("got 192.168.1.20:8554/stream")
    assert client.get("/api/inputs")["addresses"] == []
    assert chosen(page) == "This browser's camera"
    page.get_by_text("Who, and safety").click()
    page.get_by_label("Plain frames after nobody for").fill("soon")
    page.keyboard.press("Tab")
    expect(page.locator("#toasts")).to_contain_text("“Plain frames after nobody for”; expected a duration")


def test_who_clicks_twice_means_it_once(open_page: OpenPage, caller: Path) -> None:
    """Start ended at once what it had begun; of three recordings that ran *Stop recording* ended one."""
    page, client = open_page(Config(input=InputConfig(address=str(caller))))
    page.get_by_role("button", name="Start").dblclick()
    page.locator(".face").first.wait_for(timeout=LIVE_MS)
    page.get_by_role("button", name="Record").dblclick()
    page.evaluate("for (let n = 0; n < 3; n++) document.getElementById('record').click()")
    expect(page.locator("#clock")).to_be_visible(timeout=LIVE_MS)
    page.wait_for_timeout(1500)
    assert len(client.get("/api/outputs")["outputs"]) == 1
    page.get_by_role("button", name="Stop recording").dblclick()
    expect(page.locator("#outputs").get_by_role("link", name="Download")).to_have_count(1, timeout=LIVE_MS)
    assert len(client.get("/api/outputs")["outputs"]) == 1
    page.get_by_role("button", name="Stream…").click()
    page.locator("dialog input").fill("live.example/app")
    page.keyboard.press("Enter")
    said = (
        "expected a URL such as rtmp://live.example/app/key, of rtmp, rtmps, rtsp, rtsps, udp; got live.example/app"
    )
    expect(page.locator("#toasts")).to_contain_text(said, timeout=LIVE_MS)


def test_a_camera_without_a_microphone(browser: Browser, tmp_path: Path) -> None:
    """Who had forbidden the microphone was told to allow the camera, which was allowed."""
    with (
        launched(browser.browser_type, tmp_path) as other,
        run_studio(Config(), tmp_path) as client,
        page_of(other, client, permissions=["camera"]) as page,
    ):
        begin(page)
        expect(page.locator("#sound")).to_have_text("No microphone")


def test_a_preset_may_have_any_name(open_page: OpenPage) -> None:
    """The list showed *none* and *defaults* twice each for presets of these names, and *..* said *Not Found*."""
    page, client = open_page()
    for name in ("none", "defaults", "a/b", "constructor"):
        page.get_by_role("button", name="Save…").click()
        page.get_by_role("textbox", name="All settings under a name").fill(name)
        page.keyboard.press("Enter")
        expect(page.locator("#preset")).to_have_value(name)
    shown = page.locator("#preset option").all_inner_texts()
    assert len(set(shown)) == len(shown) == 6
    assert list(client.get("/api/presets")["presets"]) == shown[2:]
    page.get_by_role("button", name="Save…").click()
    page.get_by_role("textbox", name="All settings under a name").fill("..")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Choose another one")).to_be_visible()
    page.locator("#preset").select_option("none")
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#preset option")).to_have_count(5)
