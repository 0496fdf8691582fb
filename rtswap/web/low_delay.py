"""aiortc, set for a conversation: a frame goes on when its last packet is there, is encoded as fast as it can be, and
is shown when it comes. On a studio that only this machine reaches, both ends may meet on the loopback device.

aiortc waits for a packet of the next frame before it decodes one (33 ms at 30 fps), removes noise and encodes slowly,
and leaves it to the browser how long a frame waits to be shown (50 ms here).
"""

from __future__ import annotations

import logging
from copy import copy
from fractions import Fraction
from typing import Any

import aioice
import av
from aioice import ice
from aiortc import rtcicetransport, rtcrtpreceiver, rtcrtpsender, rtp
from aiortc.codecs import HEADER_EXTENSIONS, get_decoder, get_encoder, h264, vpx
from aiortc.codecs.base import Decoder, Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
)
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add, uint32_add

CLOCK = 90_000
"""Ticks a second of video's timestamps."""
FIRST_BITRATE, MOST_BITRATE = 2_500_000, 5_000_000
"""aiortc begins with 500 kbit/s, a blurred 720p, and stops at 1.5 Mbit/s."""
LESS, MORE = 0.75, 1.5
"""Factors of the bit rate within which an encoder keeps its own: another one costs a key frame."""
GIVE_UP_TICKS = CLOCK // 2
"""A frame with a lost packet is given up when a frame so much younger arrives."""
OLD = 100
"""Packets: what is that much older is no late packet, but a stream that begins again."""
MOST_PIXELS = 16_000_000
"""Of a frame from a browser: twice 4K. 400 kB could hold one of 256 megapixels, which took 2.7 GB."""
LOOPBACK = "127.0.0.1"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"


class WholeFrames:
    """Joins packets to frames: implements ``JitterBuffer.add`` for video. A frame is given out as soon as its last
    packet is there, which the marker says."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: dict[int, RtpPacket] = {}
        self._next: int | None = None
        self._oldest: int | None = None
        """Timestamp of the frame that is waited for."""
        self._skipped: int | None = None
        """Timestamp of a frame that has lost its beginning."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Return whether a key frame must be asked for, and a frame that is complete."""
        number, lost = packet.sequence_number, False
        ahead = 0 if self._next is None else uint16_add(number, -self._next)
        if ahead >= 0x10000 - OLD:
            return False, None
        waited = 0 if self._oldest is None else uint32_add(packet.timestamp, -self._oldest)
        if ahead >= self._capacity or (self._waiting and GIVE_UP_TICKS < waited < 0x80000000):
            self._waiting.clear()
            self._next, lost, self._skipped = None, True, packet.timestamp
        if packet.timestamp == self._skipped:
            self._next = uint16_add(number, 1)
            return lost, None
        self._next = number if self._next is None else self._next
        self._waiting[number] = packet
        return lost, self._complete()

    def _complete(self) -> JitterFrame | None:
        """Take the first frame out, if it is whole."""
        number, parts = self._next or 0, list[RtpPacket]()
        while (packet := self._waiting.get(number)) is not None and packet.timestamp == (
            parts[0] if parts else packet
        ).timestamp:
            parts.append(packet)
            number = uint16_add(number, 1)
            if packet.marker:
                break
        if not parts:
            return None
        self._oldest = parts[0].timestamp
        if not parts[-1].marker and number not in self._waiting:
            return None
        for packet in parts:
            del self._waiting[packet.sequence_number]
        self._next, self._oldest = number, None
        return JitterFrame(b"".join(vars(packet)["_data"] for packet in parts), parts[0].timestamp)


class ShownAtOnce(rtp.HeaderExtensionsMap):
    """Adds to every packet that its frame is to be shown without delay, if the browser knows that extension."""

    def __init__(self) -> None:
        super().__init__()
        self._id = 0

    def configure(self, parameters: RTCRtpParameters) -> None:
        """As aiortc's."""
        super().configure(parameters)
        self._id = next((one.id for one in parameters.headerExtensions if one.uri == PLAYOUT_DELAY), self._id)

    def set(self, values: rtp.HeaderExtensions) -> tuple[int, bytes]:
        """As aiortc's."""
        found = super().set(values)
        if not self._id:
            return found
        return rtp.pack_header_extensions([*rtp.unpack_header_extensions(*found), (self._id, bytes(3))])


class Vp8Encoder(vpx.Vp8Encoder):
    """VP8 at its fastest that still looks well, without removing noise."""

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """As aiortc's."""
        self.target_bitrate = steady(self.codec, self.target_bitrate)
        if not fits(self.codec, frame, self.target_bitrate):
            rate = str(self.target_bitrate)
            self.codec = make_codec("libvpx", frame, self.target_bitrate)
            self.codec.qmin, self.codec.qmax = 2, 56
            self.codec.options = {
                "deadline": "realtime",
                "cpu-used": "-12",  # a minus: always so, instead of from time to time
                "lag-in-frames": "0",
                "minrate": rate,  # the same three: a constant rate
                "maxrate": rate,
                "bufsize": rate,
                "overshoot-pct": "15",
                "undershoot-pct": "100",
                "static-thresh": "1",
            }
        return super().encode(frame, force_keyframe)


class H264Encoder(h264.H264Encoder):
    """H.264 at its fastest."""

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """As aiortc's."""
        self.target_bitrate = steady(self.codec, self.target_bitrate)
        if not fits(self.codec, frame, self.target_bitrate):
            self.codec = make_codec("libx264", frame, self.target_bitrate)
            self.codec.profile = "Baseline"
            self.codec.options = {
                "preset": "ultrafast",
                "tune": "zerolatency",
                "forced-idr": "1",
                "maxrate": str(self.target_bitrate),
                "bufsize": str(self.target_bitrate // 2),
            }
        return super().encode(frame, force_keyframe)


def fits(codec: Any, frame: av.VideoFrame, bitrate: int) -> bool:
    """Whether an encoder can take this frame at this bit rate."""
    return codec is not None and (codec.width, codec.height, codec.bit_rate) == (frame.width, frame.height, bitrate)


def steady(codec: Any, bitrate: int) -> int:
    """Return the encoder's own bit rate if the wanted one is near it."""
    own = bitrate if codec is None else int(codec.bit_rate)
    return own if LESS * own < bitrate < MORE * own and bitrate != MOST_BITRATE else bitrate


def make_codec(name: str, frame: av.VideoFrame, bitrate: int) -> Any:
    """An encoder for frames like this, which makes key frames only when they are asked for."""
    codec: Any = av.CodecContext.create(name, "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuv420p"
    codec.bit_rate, codec.gop_size = bitrate, 3000
    codec.framerate, codec.time_base = Fraction(30), Fraction(1, CLOCK)
    codec.thread_count = 1 if frame.width * frame.height <= 1280 * 720 else 2
    return codec


def fast_encoder(codec: RTCRtpCodecParameters) -> Encoder:
    """The encoder for a codec."""
    found = {"video/vp8": Vp8Encoder, "video/h264": H264Encoder}.get(codec.mimeType.lower())
    return get_encoder(codec) if found is None else found()


def limited_decoder(codec: RTCRtpCodecParameters) -> Decoder:
    """The decoder for a codec, which takes no frame of more than ``MOST_PIXELS``."""
    made: Any = get_decoder(codec)
    if isinstance(made, vpx.Vp8Decoder):
        made.codec = av.CodecContext.create("vp8", "r")  # libvpx takes the memory before FFmpeg learns the size
    if codec.mimeType.lower().startswith("video/"):
        made.codec.options = {"max_pixels": str(MOST_PIXELS)}
    decoder: Decoder = made
    return decoder


def video_or_sound(capacity: int, prefetch: int = 0, is_video: bool = False) -> WholeFrames | JitterBuffer:
    """The buffer that joins packets to frames. Sound waits for one packet more, 20 ms, instead of aiortc's 80 ms:
    the pictures do not wait for it either."""
    return WholeFrames(capacity) if is_video else JitterBuffer(capacity, min(prefetch, 1))


class OnThisMachine(aioice.Connection):
    """Meets nobody but this machine. It offers the loopback device, too, which aioice leaves out: a machine without a
    network has no other. Browsers hide their addresses behind names, for which aioice would ask the network around,
    and a page could name any address: whoever it is is here."""

    async def add_remote_candidate(self, remote_candidate: aioice.Candidate | None) -> None:
        """As aioice's."""
        if remote_candidate is not None and not is_here(remote_candidate.host):
            remote_candidate = copy(remote_candidate)
            remote_candidate.host = LOOPBACK
        await super().add_remote_candidate(remote_candidate)

    def request_received(self, message: Any, addr: tuple[str, int], *rest: Any) -> None:
        """As aioice's; others get no answer."""
        if is_here(addr[0]):
            super().request_received(message, addr, *rest)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        """As aioice's."""
        return await super().get_component_candidates(component, [*addresses, LOOPBACK], timeout)


def is_here(host: str) -> bool:
    """Whether a host is an address of this machine."""
    return host in (LOOPBACK, "::1", *ice.get_host_addresses(use_ipv4=True, use_ipv6=True))


def set_low_delay(*, loopback: bool) -> None:
    """Put these parts in the place of aiortc's, for all connections that are made from now on. ``loopback``: whether
    they lead to this machine alone."""
    module: Any = rtcrtpsender
    module.get_encoder = fast_encoder
    module = rtcicetransport
    module.Connection = OnThisMachine if loopback else aioice.Connection
    module = rtcrtpreceiver
    module.JitterBuffer = video_or_sound
    module.get_decoder = limited_decoder
    logging.getLogger(module.__name__).setLevel(logging.ERROR)  # a line for each frame that cannot be decoded
    module = rtp
    module.HeaderExtensionsMap = ShownAtOnce
    vpx.DEFAULT_BITRATE, vpx.MAX_BITRATE = FIRST_BITRATE, MOST_BITRATE
    h264.DEFAULT_BITRATE, h264.MAX_BITRATE = FIRST_BITRATE, MOST_BITRATE
    known = HEADER_EXTENSIONS["video"]
    if all(one.uri != PLAYOUT_DELAY for one in known):
        known.append(RTCRtpHeaderExtensionParameters(id=1 + max(one.id for one in known), uri=PLAYOUT_DELAY))
