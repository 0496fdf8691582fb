"""Every colour space that a stream may state is decoded to the right colours, never to an internal error."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from colour_codes import analogue, bt709, bt709_linear, frame_of, hlg, ictcp, pq, quantise

from rtswap.core.types import Image
from rtswap.media.decoding import PictureMaker
from rtswap.media.inputs.video import VideoFile

_STEPS = np.array(list(itertools.product(np.linspace(0, 1, 8), repeat=3)))
COLOURS = _STEPS.reshape(16, 32, 3)
"""R'G'B', 0..1: dark and bright, grey and saturated."""


def decoded(frame: av.VideoFrame, events: list[str] | None = None) -> Image:
    """(H, W, 3) R, G, B."""
    said = [] if events is None else events
    return PictureMaker(on_event=said.append).to_image(frame)[..., ::-1]


def off(image: Image, expected: np.ndarray) -> float:
    """The largest difference, in levels of 255."""
    return float(np.abs(image - np.clip(expected, 0, 1) * 255).max())


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("matrix", [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
def test_matrices_that_are_defined_on_signals(matrix: int, bits: int, full: bool) -> None:
    layout = "yuv444p" + ("" if bits == 8 else f"{bits}le")
    frame = frame_of(quantise(analogue(COLOURS, matrix), matrix, bits=bits, full=full), layout, matrix, full)
    image = decoded(frame)
    # Constant luminance amplifies the rounding of codes where green is dark.
    limit = (24 if bits == 8 else 8) if matrix in (10, 13) else 4.6 if bits == 8 else 2.1
    assert off(image, COLOURS) <= limit
    assert np.abs(image - COLOURS * 255).mean() < 1.0


@pytest.mark.parametrize(("matrix", "extra"), [(16, 2), (17, 1)])
def test_reversible_ycgco(matrix: int, extra: int) -> None:
    """The lossless integer transform, with two bits or one more than R, G and B have."""
    bits = {2: 10, 1: 9}[extra]
    r, g, b = np.moveaxis(np.round(COLOURS * 255).astype(int), -1, 0)
    co = r - b
    t = b + (co >> 1)
    cg = g - t
    codes = np.stack([t + (cg >> 1), cg + (1 << bits - 1), co + (1 << bits - 1)], -1).astype(np.uint16)
    assert off(decoded(frame_of(codes, f"yuv444p{bits}le", matrix, True)), COLOURS) <= 1.5


@pytest.mark.parametrize("matrix", [9, 14])
@pytest.mark.parametrize("full", [False, True])
def test_pq_below_the_knee_keeps_its_light(matrix: int, full: bool) -> None:
    """Up to about 90 nits BT.2390 changes nothing: 203 nits are the white of BT.1886's display."""
    nits = np.linspace(0.5, 80, 512).reshape(16, 32)
    light = np.repeat(nits[..., None], 3, -1)
    ycc = analogue(pq(light), 9) if matrix == 9 else ictcp(light, "pq")
    frame = frame_of(quantise(ycc, matrix, bits=10, full=full), "yuv444p10le", matrix, full, primaries=9, transfer=16)
    events: list[str] = []
    image = decoded(frame, events)
    assert off(image, (light / 203) ** (1 / 2.4)) < 2.5
    assert events == ["HDR video (PQ) is tone-mapped to SDR (BT.2390, 1000 nits)"]


def test_pq_highlights_are_compressed_not_clipped() -> None:
    nits = np.array([[100, 203, 300, 400, 1000.0]])
    light = np.repeat(nits[..., None], 3, -1)
    codes = quantise(analogue(pq(light), 9), 9, bits=10, full=False)
    grey = decoded(frame_of(codes, "yuv444p10le", 9, False, primaries=9, transfer=16))[0, :, 1].astype(int)
    assert np.all(np.diff(grey) >= 4)
    assert grey[-1] == 255
    assert 220 < grey[1] < 240, "paper white stays bright"


@pytest.mark.parametrize("matrix", [9, 14])
def test_hlg_is_shown_as_on_a_display_of_1000_nits(matrix: int) -> None:
    """BT.2100's OOTF: display light = 1000 x luminance^0.2 x scene light; below the knee as it is."""
    bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    srgb = np.array([[[0.05, 0.04, 0.03], [0.02, 0.05, 0.06], [0.08, 0.08, 0.08], [0.001, 0.001, 0.001]]])
    scene = srgb @ bt2020.T
    ycc = analogue(hlg(scene), 9) if matrix == 9 else ictcp(scene, "hlg")
    codes = quantise(ycc, matrix, bits=10, full=False)
    image = decoded(frame_of(codes, "yuv444p10le", matrix, False, primaries=9, transfer=18))
    luminance = scene @ [0.2627, 0.6780, 0.0593]
    assert off(image, (1000 * luminance[..., None] ** 0.2 * srgb / 203) ** (1 / 2.4)) < 3


def test_bt2020_without_hdr_agrees_with_ffmpegs_colorspace_filter() -> None:
    codes = quantise(analogue(COLOURS, 9), 9, bits=10, full=False)
    frame = frame_of(codes, "yuv444p10le", 9, False, primaries=9, transfer=14)
    image = decoded(frame)
    frame = frame_of(codes, "yuv444p10le", 9, False, primaries=9, transfer=14)
    graph = Graph()
    steps = [
        graph.add(
            "buffer", "video_size=32x16:pix_fmt=yuv444p10le:time_base=1/25:pixel_aspect=1:colorspace=9:range=tv"
        ),
        graph.add("colorspace", "all=bt709:format=yuv444p10"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    graph.push(frame)
    reference = graph.pull()
    reference.colorspace = 1
    expected = reference.to_ndarray(format="rgb24").astype(int)
    inside = np.all((expected > 4) & (expected < 251), axis=-1)  # the filter clips elsewhere
    assert inside.sum() > 60
    assert np.abs(image.astype(int) - expected)[inside].max() <= 3


def test_display_p3_by_its_published_matrix() -> None:
    """Apple's P3 to sRGB, linear: [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]."""
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    expected = bt709(np.clip(bt709_linear(COLOURS) @ to_srgb.T, 0, 1))
    codes = quantise(analogue(COLOURS, 1), 1, bits=10, full=False)
    assert off(decoded(frame_of(codes, "yuv444p10le", 1, False, primaries=12, transfer=1)), expected) < 4


@pytest.mark.parametrize(("transfer", "curve"), [(8, lambda s: s), (10, lambda s: 10 ** (2.5 * (s - 1)))])
def test_linear_and_logarithmic_signals_become_srgb(transfer: int, curve: object) -> None:
    grey = np.repeat(np.linspace(0.1, 1, 32)[None, :, None], 3, -1).repeat(2, 0)
    light = curve(grey)  # type: ignore[operator]
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    codes = quantise(analogue(grey, 1), 1, bits=12, full=True)
    assert off(decoded(frame_of(codes, "yuv444p12le", 1, True, primaries=1, transfer=transfer)), expected) < 2


@pytest.mark.parametrize("matrix", [3, 18, 200])
def test_a_reserved_matrix_is_guessed_with_a_message(matrix: int) -> None:
    events: list[str] = []
    frame = frame_of(quantise(analogue(COLOURS, 6), 6, bits=8, full=False), "yuv444p", matrix, False)
    assert off(decoded(frame, events), COLOURS) < 5
    assert events == [f"colour matrix {matrix} is reserved: decoded as BT.601"]


@pytest.mark.parametrize("transfer", [3, 99])
def test_reserved_transfer_characteristics_are_guessed_with_a_message(transfer: int) -> None:
    events: list[str] = []
    codes = quantise(analogue(COLOURS, 1), 1, bits=8, full=False)
    frame = frame_of(codes, "yuv444p", 1, False, primaries=1, transfer=transfer)
    assert off(decoded(frame, events), COLOURS) < 5
    assert events == [f"transfer characteristics {transfer} are reserved: shown as BT.709's"]


def test_subsampled_rgb_is_guessed_with_a_message() -> None:
    events: list[str] = []
    frame = av.VideoFrame(1280, 720, "yuv420p")
    frame.colorspace = 0
    assert decoded(frame, events).shape == (720, 1280, 3)
    assert events == ["colour matrix 0 (RGB) does not fit yuv420p: decoded as BT.709"]


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), 1), ((1920, 1080), 1), ((720, 576), 6), ((640, 480), 6)])
def test_an_unspecified_matrix_is_that_of_the_pictures_size(size: tuple[int, int], matrix: int) -> None:
    """As players assume: BT.709 for HD."""
    red = np.broadcast_to(np.array([0.8, 0.2, 0.1]), (size[1], size[0], 3))
    codes = quantise(analogue(red, matrix), matrix, bits=8, full=False)
    assert off(decoded(frame_of(codes, "yuv444p", 2, False)), red) < 4


@pytest.mark.parametrize("matrix", [0, 1, 3, 8, *range(10, 19), 255])
@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le", "yuvj420p", "gbrp10le", "gray"])
def test_no_combination_is_an_error(matrix: int, layout: str) -> None:
    for primaries, transfer in [(2, 2), (9, 16), (9, 18), (10, 17), (0, 3), (99, 99)]:
        for stated_range in (0, 2):
            frame = av.VideoFrame(18, 6, layout)
            frame.colorspace, frame.color_range = matrix, stated_range
            frame.color_primaries, frame.color_trc = primaries, transfer
            image = PictureMaker().to_image(frame)
            assert image.shape == (6, 18, 3)
            assert image.flags.writeable
            assert (frame.colorspace, frame.color_primaries) in ((matrix, primaries), (1, primaries), (6, primaries))


@pytest.mark.parametrize(
    ("layout", "told"), [("yuva420p", True), ("bgra", True), ("yuv420p", False), ("bgr0", False)]
)
def test_lost_transparency_is_reported(layout: str, told: bool) -> None:
    events: list[str] = []
    decoded(av.VideoFrame(16, 16, layout), events)
    assert events == (["transparency is not kept"] if told else [])


def test_a_change_of_colours_within_a_stream_is_followed() -> None:
    maker, matrices = PictureMaker(), (1, 8, 9, 1, 14)
    codes = {m: quantise(analogue(COLOURS, m if m != 14 else 9), m, bits=10, full=False) for m in matrices}
    images = [maker.to_image(frame_of(codes[m], "yuv444p10le", m, False)) for m in matrices]
    for image in (*images[:2], images[3]):
        assert off(image[..., ::-1], COLOURS) < 2.1


def test_hdr_decoding_is_fast_enough_for_live_use() -> None:
    maker = PictureMaker()
    frame = av.VideoFrame(1280, 720, "yuv420p10le")
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 9, 1, 9, 16
    maker.to_image(frame)
    took = []
    for _ in range(7):
        began = time.process_time()
        maker.to_image(frame)
        took.append(time.process_time() - began)
    assert min(took) < 0.1, "seconds of processor time; about 0.012 on an idle machine"


def test_lost_transparency_of_webm_is_reported(tmp_path: Path) -> None:
    """FFmpeg's own decoders of VP8 and VP9 leave it out without a word."""
    with av.open(str(tmp_path / "a.webm"), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        container.mux([*stream.encode(av.VideoFrame(32, 32, "yuva420p")), *stream.encode()])
    events: list[str] = []
    assert len(list(VideoFile(tmp_path / "a.webm", on_event=events.append).frames())) == 1
    assert events == [f"{tmp_path / 'a.webm'}: transparency is not kept"]


def test_a_stream_whose_size_changes_with_each_picture_takes_no_more_memory() -> None:
    """What an HDR picture of one size needs was kept for ever: 400 sizes of 480p took 4.2 GB."""
    pictures = PictureMaker()
    tracemalloc.start()
    held = []
    for more in range(12):
        codes = np.full((240, 320 + 2 * more, 3), 500, np.uint16)
        pictures.to_image(frame_of(codes, "yuv444p10le", 9, False, primaries=9, transfer=16))
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[-1] < 1.5 * held[1]


def test_a_large_hdr_picture_takes_little_more_memory_than_its_result() -> None:
    """Converted as a whole it took 50 bytes for each pixel: 5 GB for a film of 100 megapixels in 260 kB."""
    pictures = PictureMaker()
    codes = np.full((1500, 2000, 3), 500, np.uint16)
    frame = frame_of(codes, "yuv444p10le", 9, False, primaries=9, transfer=16)
    small = frame_of(codes[:, :200], "yuv444p10le", 9, False, primaries=9, transfer=16)
    tracemalloc.start()
    image = pictures.to_image(frame)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9 * codes.shape[0] * codes.shape[1] + 5e6
    assert (image == pictures.to_image(small)[0, 0]).all()
