"""The mark's bits come back from noise, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtswap.disclosure.error_correction import CODED_BITS, GENERATORS, checksum, decode, encode

messages = st.integers(0, (1 << 24) - 1)


def reference(message: int) -> list[int]:
    """The code as textbooks draw it: each sent bit is a sum of the last nine, the message being a ring."""
    word = f"{message:024b}{checksum(message):016b}"
    sent = []
    for place in range(40):
        last_nine = [int(word[(place - age) % 40]) for age in range(9)]
        for generator in GENERATORS:
            taps = f"{generator:09b}"
            sent.append(sum(bit for bit, tap in zip(last_nine, taps, strict=True) if tap == "1") % 2)
    return [1 - 2 * bit for bit in sent]


@given(messages)
def test_code_is_the_published_one(message: int) -> None:
    assert encode(message).tolist() == reference(message)


def test_checksum_is_the_published_one() -> None:
    """ "ABC" and "123" under CRC-16/CCITT-FALSE, computed bit by bit."""
    for data in (b"ABC", b"123"):
        register = 0xFFFF
        for bit in f"{int.from_bytes(data, 'big'):024b}":
            top = register >> 15 ^ int(bit)
            register = (register << 1 & 0xFFFF) ^ (0x1021 if top else 0)
        assert checksum(int.from_bytes(data, "big")) == register


@given(messages, st.integers(0, 2**32 - 1))
def test_bits_survive_an_eighth_of_wrong_signs(message: int, seed: int) -> None:
    flipped = np.random.default_rng(seed).permutation(CODED_BITS) < CODED_BITS // 8
    assert decode(np.where(flipped, -1.0, 1.0) * encode(message)) == message


def test_noise_says_nothing() -> None:
    rng = np.random.default_rng(0)
    heard = [decode(rng.standard_normal(CODED_BITS)) for _ in range(100)]
    assert sum(message is not None for message in heard) <= 1


def test_loud_noise_is_corrected() -> None:
    """A frame error rate of a few per cent at 2 dB, as the code's distance promises."""
    rng = np.random.default_rng(1)
    right = 0
    for _ in range(60):
        message = int(rng.integers(1 << 24))
        right += decode(0.89 * encode(message) + rng.standard_normal(CODED_BITS)) == message
    assert right >= 56


@pytest.mark.parametrize("message", [-1, 1 << 24])
def test_too_long_a_message_is_refused(message: int) -> None:
    with pytest.raises(ValueError, match="24 bits"):
        encode(message)
