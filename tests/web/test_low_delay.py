"""Frames over WebRTC go on at once: no waiting for the next one, fast encoders, no delay before they are shown."""

from __future__ import annotations

from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import cv2
import numpy as np
import pytest
from media_files import number_of, numbered_picture

pytest.importorskip("aiortc")
from aiortc import rtcrtpreceiver, rtcrtpsender, rtp
from aiortc.codecs import HEADER_EXTENSIONS, h264, vpx
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import RtpPacket

from rtswap.web import low_delay
from rtswap.web.connections import to_yuv
from rtswap.web.low_delay import (
    CLOCK,
    PLAYOUT_DELAY,
    H264Encoder,
    ShownAtOnce,
    Vp8Encoder,
    WholeFrames,
    limited_decoder,
)

FRAME, TICK = CLOCK // 30, Fraction(1, CLOCK)


def packet(number: int, frame: int, *, last: bool = False) -> RtpPacket:
    found = RtpPacket(sequence_number=number & 0xFFFF, timestamp=(frame * FRAME) & 0xFFFFFFFF, marker=int(last))
    found._data = b"%d " % number
    return found


def joined(buffer: WholeFrames, *packets: RtpPacket) -> list[bytes | None]:
    found = [buffer.add(one)[1] for one in packets]
    return [None if one is None else one.data for one in found]


@pytest.mark.parametrize("size", [(1280, 720), (1278, 718), (426, 240), (161, 91), (98, 66), (2, 2)])
def test_a_frame_for_the_encoder_has_every_row_and_keeps_its_memory(size: tuple[int, int]) -> None:
    width, height = size
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    frame = to_yuv(image)
    expected = cv2.cvtColor(image[: height & ~1, : width & ~1], cv2.COLOR_BGR2YUV_I420)
    image[:] = 0
    assert (frame.width, frame.height) == (width & ~1, height & ~1)
    assert np.array_equal(frame.to_ndarray(), expected)


def test_a_frame_does_not_wait_for_the_next() -> None:
    packets = packet(1, 0), packet(2, 0, last=True), packet(3, 1, last=True)
    assert joined(WholeFrames(64), *packets) == [None, b"1 2 ", b"3 "]
    assert [JitterBuffer(64, is_video=True).add(one)[1] for one in packets[:2]] == [None, None]


def test_packets_out_of_order_and_across_the_end_of_their_numbers() -> None:
    first = 65534
    order = [packet(first + at, 0, last=at == 3) for at in (0, 2, 3, 1)]
    assert joined(WholeFrames(64), *order) == [None, None, None, b"65534 65535 65536 65537 "]


def test_a_frame_without_a_marker_ends_where_the_next_begins() -> None:
    assert joined(WholeFrames(64), packet(1, 0), packet(2, 0), packet(3, 1)) == [None, None, b"1 2 "]


def test_what_is_lost_is_given_up_and_a_key_frame_asked_for() -> None:
    buffer, asked = WholeFrames(512), []
    got = []
    for frame in range(40):
        for part in range(2):
            if (frame, part) == (3, 1):
                continue
            lost, found = buffer.add(packet(2 * frame + part, frame, last=part == 1))
            asked += [frame] * lost
            got += [] if found is None else [found.timestamp // FRAME]
    assert asked == [19], "half a second later"
    assert got == [0, 1, 2, *range(20, 40)]


def test_a_late_packet_is_ignored_and_a_stream_may_begin_again() -> None:
    buffer = WholeFrames(64)
    assert joined(buffer, packet(500, 0, last=True), packet(499, 0)) == [b"500 ", None]
    assert buffer.add(packet(20_000, 900))[0]
    assert joined(buffer, packet(20_001, 900, last=True), packet(20_002, 901, last=True)) == [None, b"20002 "]


@pytest.mark.parametrize(
    ("make", "reader", "unpack"),
    [(Vp8Encoder, vpx.Vp8Decoder, vp8_depayload), (H264Encoder, h264.H264Decoder, h264_depayload)],
    ids=["vp8", "h264"],
)
def test_every_frame_is_encoded_when_it_comes(make: type, reader: type, unpack: object) -> None:
    encoder, decoder, seen, sizes = make(), reader(), [], []
    for number in range(12):
        frame = to_yuv(numbered_picture(number, (320, 240)))
        frame.pts, frame.time_base = number * FRAME, TICK
        payloads, timestamp = encoder.encode(frame, force_keyframe=number == 8)
        assert timestamp == number * FRAME
        sizes.append(sum(map(len, payloads)))
        data = b"".join(unpack(one) for one in payloads)
        found = decoder.decode(JitterFrame(data, timestamp))
        seen += [number_of(one.to_ndarray(format="bgr24")) for one in found]
    assert seen == list(range(12))
    assert encoder.codec.gop_size > 1000


@pytest.mark.parametrize("make", [Vp8Encoder, H264Encoder])
def test_small_changes_of_the_bit_rate_cost_no_key_frame(make: type) -> None:
    low_delay.set_low_delay(loopback=True)
    encoder, codecs = make(), []
    for rate in (2_500_000, 2_800_000, 2_300_000, 1_200_000, 5_000_000):
        frame = to_yuv(numbered_picture(len(codecs), (64, 48)))
        frame.pts, frame.time_base = len(codecs) * FRAME, TICK
        encoder.target_bitrate = rate
        encoder.encode(frame)
        codecs.append(encoder.codec)
    assert [one is other for one, other in pairwise(codecs)] == [True, True, False, False]
    assert codecs[-1].bit_rate == 5_000_000


def test_packets_say_that_the_frame_is_shown_at_once() -> None:
    parameters = RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=5, uri=PLAYOUT_DELAY)])
    known, unknown = ShownAtOnce(), ShownAtOnce()
    known.configure(parameters)
    assert (5, b"\0\0\0") in rtp.unpack_header_extensions(*known.set(rtp.HeaderExtensions()))
    assert unknown.set(rtp.HeaderExtensions()) == (0, b"")


@pytest.mark.parametrize("name", ["libvpx", "libx264"])
@pytest.mark.parametrize(("side", "allowed"), [(640, True), (4096, False)])
def test_a_frame_of_any_size_is_not_decoded(name: str, side: int, allowed: bool) -> None:
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width = encoder.height = side
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", TICK, Fraction(30)
    encoder.options = {"deadline": "realtime", "cpu-used": "8"} if name == "libvpx" else {"preset": "ultrafast"}
    frame = av.VideoFrame(side, side, "yuv420p")
    data = b"".join(bytes(one) for one in (*encoder.encode(frame), *encoder.encode(None)))
    kind = "video/VP8" if name == "libvpx" else "video/H264"
    decoder = limited_decoder(RTCRtpCodecParameters(mimeType=kind, clockRate=CLOCK, payloadType=97))
    refused = nullcontext() if allowed else pytest.raises(av.FFmpegError)
    with refused:
        decoded = decoder.decode(JitterFrame(data, 0)) + decoder.decode(JitterFrame(data, FRAME))
        assert next((one.width, one.height) for one in decoded if isinstance(one, av.VideoFrame)) == (side, side)


def test_aiortc_uses_these_parts() -> None:
    low_delay.set_low_delay(loopback=True)
    low_delay.set_low_delay(loopback=True)
    assert [one.uri for one in HEADER_EXTENSIONS["video"]].count(PLAYOUT_DELAY) == 1
    assert rtp.HeaderExtensionsMap is ShownAtOnce
    assert vars(rtcrtpreceiver)["get_decoder"] is limited_decoder
    assert isinstance(rtcrtpreceiver.JitterBuffer(capacity=512, is_video=True), WholeFrames)
    assert isinstance(rtcrtpreceiver.JitterBuffer(capacity=16, prefetch=4), JitterBuffer)
    codec = next(one for one in rtcrtpsender.get_capabilities("video").codecs if one.mimeType == "video/VP8")
    assert isinstance(rtcrtpsender.get_encoder(codec), Vp8Encoder)
