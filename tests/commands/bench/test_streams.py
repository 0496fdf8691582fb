"""``rtswap bench --streams``: shared networks give every stream its own results, and all runs are counted."""

from __future__ import annotations

import ctypes
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from people import person
from printed_output import print_parts
from threads import run_together

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.networks import Networks, bind_models
from rtswap.app.program import Program
from rtswap.commands.bench import streams as streams_module
from rtswap.commands.bench import tables
from rtswap.commands.bench.gpu_load import GpuLoad
from rtswap.commands.bench.rig import People, TimedEngine, WarmedMetrics
from rtswap.commands.bench.sharing import CountedEngine, Pool
from rtswap.commands.bench.streams import bench_streams, read_counts
from rtswap.commands.bench.streams_plot import draw_streams
from rtswap.commands.main import main
from rtswap.core.errors import OutputError, UsageError
from rtswap.core.types import Tensor
from rtswap.engines.batching import SharedEngine
from rtswap.runtime.metrics import Spans


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(Config(), on_event=lambda text: None)


@pytest.mark.parametrize(("text", "counts"), [("3", (3,)), ("1,2,4", (1, 2, 4)), ("8, 2,8", (2, 8)), ("256", (256,))])
def test_numbers_of_streams(text: str, counts: tuple[int, ...]) -> None:
    assert read_counts(text) == counts


@pytest.mark.parametrize("text", ["", "0", "1,0", "-1", "2.5", "many", "1,,2", "257", "1 2"])
def test_invalid_stream_counts_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"expected 1 to 256, or several as in 1,2,4,8,16"):
        read_counts(text)
    assert main(["bench", f"--streams={text}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_wait_is_a_duration(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("2", "-1ms", "2s"):
        assert main(["bench", "--streams=2", f"--wait={text}"]) == 2
        assert "--wait: expected a duration such as 40ms or 2s, at most 100ms" in capsys.readouterr().err


def test_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(streams_module, "SIZE", (320, 240))
    monkeypatch.setattr(streams_module, "FACE_PX", 120)
    monkeypatch.setattr(streams_module, "WARM_UP_S", 0.3)
    out = tmp_path / "streams.json"
    found = bench_streams(
        Config(), (1, 3), console=Console(stream=io.StringIO()), seconds=1.0, wait_s=0.001, out=str(out)
    )
    assert json.loads(out.read_text())["streams"].keys() == found["streams"].keys() == {"1", "3"}
    picture = cv2.imread(str(out.with_suffix(".png")))
    assert picture is not None
    assert picture.std() > 10
    three = found["streams"]["3"]
    assert len(three["each"]) == 3
    assert len({one["source"] for one in three["each"]}) == 3
    for one in three["each"]:
        assert one["source"] != one["target"]
        assert one["frames"] > 1
        assert one["faces_per_frame"] > 0.9
        assert 0 < one["frame_age_ms"]["p50"] <= one["frame_age_ms"]["p95"] <= one["frame_age_ms"]["p99"]
        assert one["dropped"] >= 0
    whole = three["all"]
    frames = sum(one["frames"] for one in three["each"])
    landmarks = whole["networks"]["landmarks"]
    rows = sum(rows * count for rows, count in landmarks["batches"].items())
    assert 0.5 * frames < rows < 3 * frames + 12  # once per frame; the counts do not begin at the same moment
    assert whole["fps_of_each"]["least"] <= whole["fps_of_each"]["mean"]
    assert whole["cpu_ms_per_frame"] > landmarks["ms_per_frame"] * 0.3
    assert whole["rss_mb"] > 50
    assert "--wait 1ms" in found["command"]
    lines = print_parts(*tables.streams(found)).splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["1", "3"]
    assert lines[-1].startswith("30 fps for ")


def test_unwritable_result_is_reported_before_measuring(tmp_path: Path) -> None:
    for name, what in (("absent/s.json", "cannot write"), (".", "a folder"), ("s.png", "ends in .json")):
        with pytest.raises(OutputError, match=what):
            bench_streams(Config(), (1,), console=Console(quiet=True), seconds=600, out=str(tmp_path / name))


def test_shared_networks_give_every_stream_the_same_outputs(networks: Networks) -> None:
    """Four threads look at different people at once; each finds what one alone finds."""
    alone = bind_models(networks, Config())
    people = People(alone)
    names = ("ada", "ben", "carl", "dan")
    pictures = [people.source(name).portrait for name in names]
    expected = [alone.detector.detect(picture) for picture in pictures]
    pool = Pool(networks, Config(), wait_s=0.002)
    pool.warm_up(4)
    found: dict[int, list[Any]] = {}

    def look(stream: int) -> None:
        models, kept = pool.models(stream, Spans()), []
        for _ in range(6):
            faces = models.detector.detect(pictures[stream])
            kept.append((faces[0], models.landmarks.find(pictures[stream], [faces[0].keypoints])[0]))
        found[stream] = kept
        pool.forget(stream)

    run_together(look, 4)
    batches = pool.take()
    assert sum(rows * count for rows, count in batches["landmarks"][0].items()) == 24
    assert max(batches["landmarks"][0]) <= 4
    assert max(batches["pnet"][0]) == 1  # a plan of it takes one picture
    for stream, picture in enumerate(pictures):
        mesh = alone.landmarks.find(picture, [expected[stream][0].keypoints])[0]
        for face, points in found[stream]:
            np.testing.assert_allclose(face.box, expected[stream][0].box, atol=0.1)
            np.testing.assert_allclose(points.points, mesh.points, atol=0.2)


def test_shared_networks_include_those_of_finishes(networks: Networks) -> None:
    """A setting that turns on a finish with a network of its own ended with a KeyError."""
    config = replace(Config(), swap=replace(Config().swap, detail="restore"))
    pool = Pool(networks, config)
    assert {"occlusion", "glasses", "sharpness"} <= pool.counted.keys()
    program = Program(config, on_event=print, models=pool.models(0, Spans()), sources=[person("ada")])
    assert program.engines.keys() <= pool.counted.keys()


class Slow:
    """Gives back what it gets."""

    name = "slow"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return inputs


def test_an_engine_s_batches_are_counted_anew_each_time() -> None:
    engine = CountedEngine(Slow())
    for rows in (1, 3, 1):
        engine.run({"x": np.zeros((rows, 2))})
    batches, busy_s = engine.take()
    assert batches == {1: 2, 3: 1}
    assert busy_s > 0
    assert engine.take() == ({}, 0.0)


def test_a_counting_engine_passes_on_gpu_methods() -> None:
    class OnDevice(Slow):
        def run_on_device(self, inputs: object) -> object:
            return inputs

    for kind, can in ((OnDevice, True), (Slow, False)):
        wrapped = TimedEngine(SharedEngine(CountedEngine(kind())).for_stream(0), Spans())
        assert hasattr(wrapped, "run_on_device") == can


def test_drops_of_the_warm_up_do_not_count() -> None:
    metrics = WarmedMetrics(1.0)
    for at, dropped in ((0.0, 5), (0.5, 9), (1.5, 10), (2.0, 12)):
        metrics.record({}, captured_at=at - 0.01, finished_at=at)
        metrics.set_dropped(dropped)
    assert metrics.summary()["dropped"] == 3
    assert metrics.ages_s == pytest.approx([0.01, 0.01])


class PretendedNvml:
    """NVML on a machine with a GPU that is half busy and has 1 GB taken."""

    def __init__(self, code: int = 0) -> None:
        self.code = code

    def nvmlInit_v2(self) -> int:
        return self.code

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, device: Any) -> int:
        assert index == 0
        return self.code

    def nvmlDeviceGetUtilizationRates(self, device: ctypes.c_void_p, load: Any) -> int:
        load._obj.gpu, load._obj.memory = 50, 7
        return self.code

    def nvmlDeviceGetMemoryInfo(self, device: ctypes.c_void_p, memory: Any) -> int:
        memory._obj.used = 10**9
        return self.code


def test_the_load_of_a_gpu() -> None:
    load = GpuLoad(PretendedNvml())
    assert (load.busy, load.most_mb) == (None, None)
    load.sample()
    load.sample()
    assert load.busy == pytest.approx(0.5)
    assert load.most_mb == pytest.approx(1000)


def test_without_a_gpu_no_load_is_measured() -> None:
    load = GpuLoad(PretendedNvml(code=9))
    load.sample()
    assert (load.busy, load.most_mb) == (None, None)


@pytest.mark.parametrize("gpu", [None, 1.5])
def test_the_plot_shows_what_was_measured_and_nothing_else(gpu: float | None) -> None:
    figures = {
        count: {
            "cpu_ms_per_frame": 20.0 / count,
            "gpu_ms_per_frame": gpu,
            "frame_age_ms": {"p50": 10.0, "p95": 12.0, "p99": 14.0} if count < 8 else {},
            "fps_of_each": {"mean": 30.0, "least": 29.0},
            "networks": {"landmarks": {"ms_per_frame": 2.0}},
        }
        for count in (1, 2, 4, 8)
    }
    drawn = cv2.imdecode(np.frombuffer(draw_streams(figures, "a machine"), np.uint8), cv2.IMREAD_COLOR)
    green = (np.abs(drawn[90:290].astype(int) - (96, 168, 44)).sum(2) < 6).sum()  # of the first chart
    assert (green > 200) == (gpu is not None)
