"""The summary after a run: three lines, and how to see more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from media_files import make_animation, make_clip
from printed_output import on_terminal, print_parts

from rtswap.commands.reports.run_summary import run_summary
from rtswap.runtime.guard import Reason

AGE = {"p50": 18.4, "p95": 25.2, "p99": 31.0, "mean": 19.1, "max": 40.0}


def result(**changes: Any) -> dict[str, Any]:
    plain = {
        "frames": 255,
        "fps": 29.94,
        "dropped": 0,
        "faces": 1,
        "level": 0,
        "frame_age_ms": AGE,
        "stages_ms": {"track": AGE},
        "duration_s": 8.5,
        "frames_with_swap": 255,
        "frames_covered": 0,
        "frames_covered_because": {},
        "frames_plain": 0,
        "faces_per_frame": 1.0,
        "start_to_first_swap_s": 1.24,
        "live": True,
        "outputs": ["vcam:/dev/video10"],
    }
    return plain | changes


def lines(stats: bool = False, **changes: Any) -> list[str]:
    return print_parts(*run_summary(result(**changes), stats=stats)).splitlines()


def test_three_lines_and_how_to_see_more() -> None:
    assert lines() == [
        "Sent to vcam:/dev/video10 for 8.5 s.",
        "Faces: swapped in all 255 frames.",
        "Speed: 29.9 fps, 18 ms old (95 % under 25 ms). More: --stats.",
    ]


def test_they_fit_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_terminal(monkeypatch)(*run_summary(result(dropped=1234, frames_covered=12), stats=True))
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames_with_swap": 240, "frames_covered": 10, "frames_plain": 5},
         "Faces: swapped in 240 of 255 frames, covered in 10, no face in 5."),
        ({"frames_covered": 3}, "Faces: swapped in all 255 frames, others covered in 3."),
        ({"frames_covered": 3, "frames_covered_because": {"other people": 3}},
         "Faces: swapped in all 255 frames, others covered in 3 (other people)."),
        ({"frames_covered": 3, "frames_covered_because": {"face lost": 3}},
         "Faces: swapped in all 255 frames, others covered or the picture held in 3 (face lost)."),
        ({"frames_with_swap": 0, "frames_plain": 255}, "Faces: none swapped, no face in 255."),
        ({"frames": 1, "frames_with_swap": 1}, "Faces: 1 swapped."),
        ({"frames": 1, "frames_with_swap": 1, "faces": 3}, "Faces: 3 swapped."),
        ({"frames": 1, "frames_with_swap": 0, "frames_covered": 1}, "Faces: none swapped, covered in 1."),
    ],
)  # fmt: skip
def test_faces(changes: dict[str, Any], words: str) -> None:
    assert lines(**changes)[1] == words


def test_pictures_are_called_pictures(tmp_path: Path) -> None:
    shown = lines(outputs=[str(tmp_path)], frames=35, frames_with_swap=34, frames_covered=1, live=False)
    assert shown[1] == "Faces: swapped in 34 of 35 pictures, covered in 1."
    assert lines(outputs=["out_%05d.png"])[1] == "Faces: swapped in all 255 pictures."


def test_speed_says_what_mattered() -> None:
    assert ", 3 dropped. " in lines(dropped=3)[2]
    assert lines(live=False)[2] == "Speed: 29.9 fps, 8.5 s in all. More: --stats."
    assert lines(live=False, frames=1)[2] == "Speed: done 1.2 s after the start. More: --stats."
    assert lines(live=False, frames=1, start_to_first_swap_s=None)[2] == "Speed: one frame. More: --stats."


def test_percentiles_only_on_request() -> None:
    assert not any("p95" in line for line in lines())
    shown = lines(stats=True)
    assert shown[-2].split() == ["frame", "age", "18.4", "25.2", "31.0", "19.1", "40.0"]
    assert not any("--stats" in line for line in shown)


def test_files_are_reported_with_length_and_size(tmp_path: Path) -> None:
    clip, picture, folder = tmp_path / "clip.mp4", tmp_path / "face.png", tmp_path / "pictures"
    make_clip(clip, 15, size=(160, 120), fps=30)
    picture.write_bytes(b"x" * 12_345)
    folder.mkdir()
    shown = lines(outputs=[str(clip), "window"])[0]
    assert shown.startswith(f"Wrote {clip} (0.5 s, ")
    assert shown.endswith("Sent to window for 8.5 s.")
    assert lines(outputs=[str(picture)])[0] == f"Wrote {picture} (12 kB)."
    assert lines(outputs=[str(folder)])[0] == f"Wrote {folder} (255 pictures)."
    assert lines(outputs=["out_%05d.png"], frames=1)[0] == "Wrote out_%05d.png (1 picture)."
    named = tmp_path / "50%.png"
    named.write_bytes(b"x" * 12_345)
    assert lines(outputs=[str(named)])[0] == f"Wrote {named} (12 kB)."


def test_an_animation_has_its_own_length_and_one_frame_none(tmp_path: Path) -> None:
    make_animation(tmp_path / "a.gif", 30, duration_ms=[30, 30, 40] * 10)
    make_clip(tmp_path / "one.mp4", 1)
    assert lines(outputs=[str(tmp_path / "a.gif")])[0].startswith(f"Wrote {tmp_path / 'a.gif'} (1.0 s, ")
    assert " s, " not in lines(outputs=[str(tmp_path / "one.mp4")])[0]


def test_the_length_of_a_file_is_that_of_its_longest_track(tmp_path: Path) -> None:
    """Two pictures, the second after a moment; the sound goes on."""
    make_clip(tmp_path / "a.mp4", 2, fps=1, times_s=[0.0, 0.1], audio=True)
    assert lines(outputs=[str(tmp_path / "a.mp4")])[0].startswith(f"Wrote {tmp_path / 'a.mp4'} (1.1 s, ")


def test_a_manifest_beside_the_file_is_named(tmp_path: Path) -> None:
    for name in ("face.bmp", "face.c2pa"):
        (tmp_path / name).write_bytes(b"12")
    assert lines(outputs=[str(tmp_path / "face.bmp")])[0].endswith("face.bmp (2 bytes, manifest in face.c2pa).")


def test_a_broken_file_and_no_frame_are_not_errors(tmp_path: Path) -> None:
    broken = tmp_path / "clip.mp4"
    broken.write_bytes(b"no video")
    assert lines(outputs=[str(broken)])[0] == f"Wrote {broken} (8 bytes)."
    assert lines(frames=0) == ["No frames were processed."]


def test_recordings_by_key_and_pictures_that_were_not_written(tmp_path: Path) -> None:
    recording = tmp_path / "rtswap-1.mp4"
    recording.write_bytes(b"no video")
    assert lines(outputs=["window"], recorded=[str(recording)])[0].startswith(f"Wrote {recording} (8 bytes).")
    assert "1 picture without a swap not written." in lines(not_written=["a.png"])[1]


def test_reason_for_unmarked_pictures_is_reported() -> None:
    assert "Unmarked: a study" in lines(unmarked="a study")


def test_why_faces_were_covered_is_said_within_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [line for line in lines() if "Covered" in line]
    few = {"face lost": 7, "other people": 2}
    assert "held in 9 (mostly face lost)." in lines(frames_covered=9, frames_covered_because=few)[1]
    reasons = {reason.value: 1000 for reason in Reason}
    said = lines(stats=True, frames_covered=9, frames_covered_because=reasons)
    shown = " ".join(said)
    assert all(f"{reason} in 1,000" in shown for reason in reasons)
    assert max(len(line) for line in said if not line.startswith("Faces")) <= 80
