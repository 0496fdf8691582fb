"""rtswap from Python: the reusable object, wrong pictures, threads, and the end."""

from __future__ import annotations

import copy
import io
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from heic_sample import heic
from people import group
from PIL import Image
from prepared_sources import ready  # noqa: F401
from python_api import badge_of, find_changes, open_networks_once, photo, swap_pixels  # noqa: F401
from scripts_loader import load_script

import rtswap
from rtswap.app import program
from rtswap.core.errors import ConfigError, InputError, UsageError
from rtswap.source.personas import persona_photo
from rtswap.vision.talking_head import persona

# the reusable object


@pytest.fixture
def swapper() -> Iterator[rtswap.Swapper]:
    with rtswap.Swapper(photo("ada")) as made:
        yield made


def test_pictures_do_not_affect_each_other(swapper: rtswap.Swapper) -> None:
    """Who was there before, where they were, which grain their faces got. OpenVINO's last digits depend on what it
    computed before, hence the two levels."""
    goal = swap_pixels(persona("ben"), photo("ada"))
    for picture in (persona("ben"), group("-", "carl", "dan"), persona("carl"), persona("ben")):
        found = swapper.swap(picture).image
    assert np.abs(found.astype(int) - goal).max() <= 2
    with pytest.raises(InputError, match="no face was found"):
        swapper.swap(np.full((512, 512, 3), 90, np.uint8))
    assert np.abs(swapper.swap(persona("ben")).image.astype(int) - goal).max() <= 2


def test_the_networks_are_loaded_once(monkeypatch: pytest.MonkeyPatch, swapper: rtswap.Swapper) -> None:
    monkeypatch.setattr(program, "open_models", lambda config, on_event: pytest.fail("loaded again"))
    swapper.swap(persona("ben"))
    swapper.update(photo("carl"), strength=0.9)
    swapper.swap(persona("ben"))


def test_covers_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with rtswap.Swapper(photo("ada"), faces="one") as one:
        result = one.swap(group("ben", "carl"))
    assert (result.swapped, result.covered) == (1, 1)
    assert result.reasons == {"someone else or what looks like a head"}


def test_a_face_that_fails_to_be_swapped_is_an_error(swapper: rtswap.Swapper) -> None:
    class Broken:
        def bind(self, source: Any) -> Any:
            return self

        def view(self, landmarks: Any, max_px: int) -> Any:
            raise ValueError("broken")

        def forget(self, track_id: int) -> None: ...

    swapper.update(swapper=Broken())
    with pytest.raises(InputError, match=r"no face in the picture could be swapped; got a failure"):
        swapper.swap(persona("ben"))
    swapper.update(swapper="mesh")
    assert swapper.swap(persona("ben")).swapped == 1


def test_many_pictures_and_an_error_of_one(tmp_path: Path, swapper: rtswap.Swapper) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    seen: list[int] = []

    def given() -> Iterator[Any]:
        for number, picture in enumerate([persona("ben"), bad, None, persona("carl")]):
            seen.append(number)
            yield picture

    results = swapper.swap_many(given())
    assert next(results).swapped == 1
    assert seen == [0]  # one at a time
    rest = list(results)
    assert [type(result).__name__ for result in rest] == ["InputError", "UsageError", "MarkedImage"]
    for single in ("album", Path("album"), persona("ben"), None):
        with pytest.raises(UsageError, match="expected several pictures"):
            swapper.swap_many(single)


@pytest.mark.parametrize(
    ("bad", "do"),
    [
        (np.zeros((64, 64, 3), np.float32), "\\* 255"),
        (np.zeros((64, 64), np.uint8), "COLOR_GRAY2BGR"),
        (np.zeros((64, 64, 4), np.uint8), r"image\[..., :3\]"),
        (np.zeros((1, 64, 64, 3), np.uint8), "one picture at a time"),
        (np.zeros((0, 0, 3), np.uint8), "failed read"),
        (np.zeros((64, 64, 3), np.int64), "astype"),
        ([[[0, 0, 0]]], "Make it an array"),
        (np.zeros((3, 64, 48), np.uint8), r"Put the channels last: image.transpose\(1, 2, 0\)"),
        (None, "got NoneType. OpenCV gives None for what it cannot read"),
        (Mock(spec=["numpy"]), r"tensor.cpu\(\).numpy\(\)"),
        (Image.new("I", (64, 64)), "wrong Pillow mode"),
    ],
)
def test_invalid_pictures_are_reported_with_advice(bad: Any, do: str, swapper: rtswap.Swapper) -> None:
    with pytest.raises(UsageError, match=do):
        swapper.swap(bad)
    with pytest.raises(UsageError):
        rtswap.Swapper([bad], consent=True)


def test_a_source_in_the_place_of_the_picture_is_told() -> None:
    with pytest.raises(
        UsageError, match=r"persona:vera is a source; expected the picture first: swap\(picture, source\)"
    ):
        rtswap.swap("persona:vera", photo("ben"), consent=True)


@pytest.mark.parametrize("of", [bytes, bytearray, memoryview])
def test_the_bytes_of_a_file_are_a_picture_and_a_source(of: Any, swapper: rtswap.Swapper) -> None:
    data, ben = photo("ben").read_bytes(), swap_pixels(photo("ben"), photo("ada"))
    assert np.array_equal(swapper.swap(of(data)).image, swapper.swap(photo("ben")).image)
    with rtswap.Swapper(of(photo("ada").read_bytes()), consent=True) as other:
        assert np.array_equal(other.swap(of(data)).image, ben)
        for source in (of(data), [of(data), persona("ben")]):
            with pytest.raises(UsageError, match="consent"):
                other.update(source)


@pytest.mark.parametrize(
    ("data", "got"),
    [(b"", "is empty"), (b"text", "got text"), (b"%PDF-1.7", "got a PDF document"), (heic()[:90], "damaged")],
)
def test_bytes_that_are_no_picture_are_an_input_error(data: bytes, got: str, swapper: rtswap.Swapper) -> None:
    with pytest.raises(InputError, match=f"the picture.*{got}"):
        swapper.swap(data)
    with pytest.raises(InputError, match=f"the source.*{got}"):
        rtswap.Swapper(data, consent=True)


def test_a_truncated_pillow_image_is_an_input_error(swapper: rtswap.Swapper) -> None:
    data = photo("ben").read_bytes()
    with pytest.raises(InputError, match="cannot decode the picture; got image file is truncated"):
        swapper.swap(Image.open(io.BytesIO(data[: len(data) // 2])))


def test_pillow_images_are_turned_upright(swapper: rtswap.Swapper) -> None:
    lying = Image.fromarray(persona("ben")[..., ::-1]).transpose(Image.Transpose.ROTATE_90)
    exif = lying.getexif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    stored = io.BytesIO()
    lying.save(stored, "PNG", exif=exif)
    assert np.array_equal(swapper.swap(Image.open(stored)).image, swapper.swap(persona("ben")).image)


def test_transparent_places_become_white(tmp_path: Path, swapper: rtswap.Swapper) -> None:
    cut_out = Image.fromarray(persona("ben")[..., ::-1]).convert("RGBA")
    cut_out.paste((0, 255, 0, 0), (0, 0, 60, 60))
    cut_out.save(tmp_path / "cut_out.png")
    for picture in (cut_out, tmp_path / "cut_out.png"):
        assert np.all(swapper.swap(picture).image[:50, :50] > 240)


# threads, and the end


def test_several_threads_and_a_change_meanwhile(swapper: rtswap.Swapper) -> None:
    goal = swapper.swap(persona("ben")).image
    found: list[np.ndarray] = []
    threads = [Thread(target=lambda: found.append(swapper.swap(persona("ben")).image)) for _ in range(6)]
    for thread in threads:
        thread.start()
    swapper.update(strength=1.0)
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(np.abs(one.astype(int) - goal).max() <= 2 for one in found)


def test_closed_by_its_own_listener_it_ends_after_the_picture() -> None:
    """AttributeError was raised, and the picture was lost."""
    told: list[str] = []

    def on_event(text: str) -> None:
        told.append(text)
        if "no face" in text:
            live.close()

    live = rtswap.LiveSwap("persona:ada", on_event=on_event)
    assert live.process(np.zeros((120, 160, 3), np.uint8)).covered
    assert any("no face" in text for text in told)
    with pytest.raises(UsageError, match="is closed"):
        live.process(np.zeros((120, 160, 3), np.uint8))


def test_closed() -> None:
    swapper, live = rtswap.Swapper(photo("ada")), rtswap.LiveSwap(photo("ada"))
    results = swapper.swap_many([persona("ben")])
    for loop in (swapper, live):
        loop.close()
        loop.close()
        with pytest.raises(UsageError, match=f"this {type(loop).__name__} is closed"):
            loop.update(strength=0.5)
    for call in (lambda: swapper.swap(persona("ben")), lambda: next(results), lambda: live.process(persona("ben"))):
        with pytest.raises(UsageError, match="is closed"):
            call()


def test_a_session_changes_and_stops(tmp_path: Path) -> None:
    given = load_script("docs/examples/rtswap_example/drifting_picture.py").DriftingPicture(
        persona("ben"), seconds=60
    )
    seen: list[np.ndarray] = []

    class Shown:
        name = "shown"

        def send(self, image: rtswap.MarkedImage) -> None:
            if image.swapped:
                seen.append(image.image.copy())

        def close(self) -> None: ...

    session = rtswap.SwapSession(given, [Shown()], photo("ada"))
    figures: list[dict[str, Any]] = []
    thread = Thread(target=lambda: figures.append(session.run()))
    thread.start()

    def later() -> np.ndarray:
        count, until = len(seen), time.perf_counter() + 20
        while len(seen) < count + 2 and time.perf_counter() < until:
            time.sleep(0.02)
        return seen[-1]

    later()
    session.update(photo("carl"))
    later()
    with pytest.raises(ConfigError):
        session.update(strength=7)
    later()
    session.stop()
    thread.join(20)
    assert figures[0]["frames_with_swap"] >= 6
    with pytest.raises(UsageError, match="has already run"):
        session.run()
    session.close()


def test_an_open_file_is_no_list_of_photos(swapper: rtswap.Swapper) -> None:
    """A file gives its lines, each of which was taken for the bytes of a photo."""
    for call in (swapper.swap, swapper.swap_many, lambda file: rtswap.Swapper(file, consent=True)):
        with open(persona_photo("persona:ben"), "rb") as file, pytest.raises(UsageError) as caught:
            call(file)
        assert "BufferedReader" in str(caught.value)
    assert str(caught.value).endswith("Pass what is in the file: file.read().")


@pytest.mark.parametrize("use", [pickle.dumps, copy.deepcopy])
def test_a_swapper_is_not_sent_to_another_process(use: Callable[[Any], Any], swapper: rtswap.Swapper) -> None:
    """``Pool.map(swapper.swap, pictures)`` ended with: cannot pickle CompiledModel."""
    with pytest.raises(rtswap.UsageError, match=r"a Swapper cannot be copied .* Make one in each process\."):
        use(swapper.swap)


def test_a_result_is_shown_without_its_pixels(swapper: rtswap.Swapper) -> None:
    """In a notebook each filled a screen with numbers."""
    shown = repr(swapper.swap(persona("ben")))
    assert "swapped=1" in shown
    assert "array" not in shown


def test_results_can_be_compared_and_collected(swapper: rtswap.Swapper) -> None:
    one, other = swapper.swap(persona("ben")), swapper.swap(persona("carl"))
    assert one != other
    assert len({one, other, one}) == 2


def test_parts_that_are_none() -> None:
    given = load_script("docs/examples/rtswap_example/drifting_picture.py").DriftingPicture(persona("ben"))
    with pytest.raises(
        UsageError, match=r"the input's info is of the wrong type; expected .*StreamInfo; got NoneType"
    ):
        rtswap.SwapSession(SimpleNamespace(info=None, frames=iter), [], photo("ada"))  # type: ignore[arg-type]
    for wrong in (persona("ben"), b"PNG"):
        with pytest.raises(
            UsageError, match=r"expected a path or an address; got (ndarray|bytes). Save a picture to a"
        ):
            rtswap.verify(wrong)  # type: ignore[arg-type]
    for input, outputs, said in (
        ("clip.mp4", [], "the input is of the wrong type"),
        (given, ["out.mp4"], "the output is of the wrong type"),
        (given, "out.mp4", "wrong value for outputs"),
        (given, None, "wrong value for outputs"),
    ):
        with pytest.raises(UsageError, match=said):
            rtswap.run_session(input, outputs, photo("ada"))
