"""Windows are joined into spans and spans into a verdict, whose wording claims no more than is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from printed_output import print_parts

from rtswap.commands.verify.report import as_json, exit_code, format_payload, format_verdict, odds
from rtswap.disclosure.manifest import ManifestReport
from rtswap.disclosure.verdict import Verdict, chance, spans_of
from rtswap.disclosure.watermark import Kind, Payload
from rtswap.disclosure.watermark_reader import Reading

OURS, OTHER = Payload((0, 1), Kind.SWAPPED_FACE, 10), Payload((2, 7), Kind.SWAPPED_FACE, 200)


def window(number: int, present: bool = True, payload: Payload | None = OURS, score: float = 9.0) -> Reading:
    payload = payload if present else None
    return Reading(
        present, payload, score if present else 2.0, 1e-9 if present else 0.5, 60, number * 2, number * 2 + 1.9
    )


def manifest(state: str = "valid", **changes: object) -> ManifestReport:
    known = {
        "state": state,
        "by_rtswap": True,
        "earlier": False,
        "generator": "rtswap 0.1.0",
        "source_types": ("compositeWithTrainedAlgorithmicMedia",),
        "actions": ("c2pa.created",),
        "input_sha256": "",
        "signer": "rtswap local",
        "serial": "7",
        "problems": (),
        "sidecar": False,
    }
    return ManifestReport(**known | changes)  # type: ignore[arg-type]


def verdict(readings: list[Reading], found: ManifestReport | None = None, notes: tuple[str, ...] = ()) -> Verdict:
    spans, end_s = spans_of(readings), max((r.to_s for r in readings), default=0.0)
    return Verdict("clip.mp4", spans, len(readings), 60 * len(readings), end_s, chance(readings), found, notes)


def test_neighbouring_windows_are_one_span() -> None:
    spans = spans_of([window(0, False), window(1), window(2, score=12.0), window(3, False), window(4)])
    assert [(span.from_s, span.to_s, span.windows) for span in spans] == [(2, 5.9, 2), (8, 9.9, 1)]
    assert spans[0].score == 12.0


def test_windows_that_say_different_things_are_two_spans() -> None:
    """Two recordings cut together."""
    spans = spans_of([window(0), window(1, payload=OTHER), window(2, payload=OTHER)])
    assert [span.payload for span in spans] == [OURS, OTHER]


def test_window_that_cannot_be_read_belongs_to_its_neighbours() -> None:
    (span,) = spans_of([window(0, payload=None), window(1), window(2, payload=None)])
    assert (span.payload, span.windows) == (OURS, 3)


def test_time_that_runs_backwards_parts_spans() -> None:
    assert len(spans_of([window(5), window(0)])) == 2


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, OURS, OTHER])), max_size=12))
def test_spans_hold_every_marked_window_once(rows: list[tuple[bool, Payload | None]]) -> None:
    readings = [window(number, present, payload) for number, (present, payload) in enumerate(rows)]
    spans = spans_of(readings)
    assert sum(span.windows for span in spans) == sum(reading.present for reading in readings)
    for reading in readings:
        inside = [span for span in spans if span.from_s <= reading.from_s and reading.to_s <= span.to_s]
        assert len(inside) == reading.present
    assert all(a.to_s <= b.from_s for a, b in pairwise(spans))


def test_many_windows_make_chance_likelier() -> None:
    assert chance([window(0)]) == 1e-9
    assert chance([window(n) for n in range(100)]) == pytest.approx(1e-7)
    assert chance([]) == chance([window(n, False) for n in range(9)]) == 1


def text_of(judged: Verdict) -> str:
    return print_parts(*format_verdict(judged))


@pytest.mark.parametrize(
    ("readings", "found", "code"),
    [
        ([window(0)], None, 0),
        ([window(0, False)], None, 3),
        ([], None, 3),
        ([window(0, False)], manifest(), 0),
        ([window(0, False)], manifest("trusted"), 0),
        ([window(0, False)], manifest("invalid"), 3),
        ([window(0)], manifest("invalid"), 0),
        ([window(0, False)], manifest(by_rtswap=False, generator="Camera"), 3),
        ([window(0, False)], manifest(earlier=True), 0),
    ],
)
def test_exit_code(readings: list[Reading], found: ManifestReport | None, code: int) -> None:
    judged = verdict(readings, found)
    assert exit_code(judged) == code
    assert judged.marked == (code == 0)
    text = text_of(judged)
    assert ("MARKED" in text) == (code == 0)
    assert ("not prove that it is genuine" in text) == (code == 3)


def test_invalid_manifest_is_said_plainly() -> None:
    text = text_of(verdict([window(0, False)], manifest("invalid", problems=("assertion.bmffHash.mismatch",))))
    assert "INVALID" in text
    assert "assertion.bmffHash.mismatch" in text
    assert "changed after it was signed" in text


def test_self_signed_is_not_said_to_name_anybody() -> None:
    assert "unknown signer" in text_of(verdict([], manifest()))


def test_text_says_where_and_what() -> None:
    text = text_of(verdict([window(0, False), window(1), window(2)], notes=("pictures: cut off",)))
    assert "0:02.0 to 0:05.9" in text
    assert "2 of 3 windows" in text
    assert "rtswap 0.1, an AI-generated face, 2026-11" in text
    assert "cut off" in text
    assert all(len(line) < 130 for line in text.splitlines())


def test_strangers_text_cannot_steer_the_terminal() -> None:
    judged = replace(verdict([], notes=("\x1b[2J\rMARKED",)), name="a\x1b]0;b\x07\nMARKED.mp4")
    assert all(line.isprintable() for line in text_of(judged).split("\n"))
    assert len(text_of(judged).splitlines()) == len(text_of(verdict([], notes=("x",))).splitlines())


def test_hundreds_of_spans_stay_readable() -> None:
    judged = verdict([window(n, n % 2 == 0) for n in range(200)])
    assert len(text_of(judged).splitlines()) < 25
    assert len(as_json(judged)["spans"]) == 100


def test_json_is_json() -> None:
    full = verdict([window(0), window(1, payload=None)], manifest(), ("a note",))
    found = json.loads(json.dumps(as_json(full), allow_nan=False))
    assert found["format"] == 1
    assert found["marked"] is True
    assert found["payload"] == {
        "program": "rtswap", "version": "0.1", "kind": "swapped_face", "month": "2026-11",
    }  # fmt: skip
    assert found["spans"][0]["payload"]["month"] == "2026-11"
    assert found["manifest"]["state"] == "valid"
    assert found["manifest"]["holds"] is True
    assert found["notes"] == ["a note"]
    empty = json.loads(json.dumps(as_json(verdict([])), allow_nan=False))
    assert empty["manifest"] is None
    assert empty["payload"] is None
    assert set(empty) == set(found)


@pytest.mark.parametrize(("month", "text"), [(0, "2026-01"), (11, "2026-12"), (12, "2027-01"), (255, "2047-04")])
def test_month(month: int, text: str) -> None:
    assert format_payload(Payload((0, 1), Kind.SWAPPED_FACE, month)).endswith(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "100%"),
        (0.5, "50%"),
        (0.011, "1%"),
        (1e-6 * 0.99, "10^6"),
        (3e-8, "10^7"),
        (1e-300, "10^12"),
        (0.0, "10^12"),
    ],
)
def test_odds(value: float, text: str) -> None:
    assert re.search(re.escape(text) + r"\b|" + re.escape(text), odds(value))
