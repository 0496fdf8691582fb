"""Error correction of the watermark: 24 bits and their checksum in a tail-biting convolutional code.

Constraint length 9, rate 1/4, the generators 463, 535, 733, 745 (octal), which are best at that length (free distance
24; Proakis and Salehi, Digital Communications, table 8.3-2). Tail-biting: the register starts with the message's last
bits, so that no bits are spent on a tail. Decoded with Viterbi's algorithm, twice around the message.
"""

from __future__ import annotations

import binascii

import numpy as np
from numpy.typing import NDArray

MESSAGE_BITS = 24
CHECK_BITS = 16
BITS = MESSAGE_BITS + CHECK_BITS
GENERATORS = (0o463, 0o535, 0o733, 0o745)
MEMORY = 8
CODED_BITS = BITS * len(GENERATORS)

Soft = NDArray[np.float64]
"""(160,) soft bits: positive = probably 0, negative = probably 1; the magnitude is the confidence."""


def encode(message: int) -> NDArray[np.int8]:
    """Encode a message of 24 bits as (160,) of +1 (a 0) and -1 (a 1). Raises ValueError if it does not fit."""
    if not 0 <= message < 1 << MESSAGE_BITS:
        raise ValueError(f"a message has {MESSAGE_BITS} bits, not the value {message}")
    word = message << CHECK_BITS | checksum(message)
    bits = [word >> (BITS - 1 - i) & 1 for i in range(BITS)]
    register = _start(bits)
    coded = []
    for bit in bits:
        register = bit << MEMORY | register >> 1
        coded += [(register & generator).bit_count() & 1 for generator in GENERATORS]
    return (1 - 2 * np.array(coded)).astype(np.int8)


def decode(soft: Soft) -> int | None:
    """Decode the message of 24 bits; None if the checksum does not match."""
    bits = _viterbi(np.asarray(soft, np.float64).reshape(BITS, len(GENERATORS)))
    word = int("".join(map(str, bits)), 2)
    message = word >> CHECK_BITS
    return message if checksum(message) == word & ((1 << CHECK_BITS) - 1) else None


def checksum(message: int) -> int:
    """CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) of the message's three bytes, big-endian."""
    return binascii.crc_hqx(message.to_bytes(MESSAGE_BITS // 8, "big"), 0xFFFF)


def _start(bits: list[int]) -> int:
    """Initial register: the message's last bits, newest highest, one place above where the next bit shifts it to."""
    register = 0
    for bit in bits[-MEMORY:]:
        register = bit << MEMORY | register >> 1
    return register


def _viterbi(soft: Soft) -> list[int]:
    """The 40 bits whose code best matches (40, 4) soft values; runs twice around the ring and returns the middle."""
    states = np.arange(1 << MEMORY)
    came_from = np.stack([(states << 1) & 0xFF, ((states << 1) & 0xFF) | 1])
    signs = _signs(states[None] << 1 | np.array([[0], [1]]))
    around = np.concatenate([soft[BITS // 2 :], soft, soft[: BITS // 2]])
    score = np.zeros(len(states))
    choices = []
    for values in around:
        branches = score[came_from] + signs @ values
        choice = branches.argmax(0)
        choices.append(choice)
        score = branches[choice, states]
        score -= score.max()
    state = int(score.argmax())
    bits = []
    for choice in reversed(choices):
        bits.append(state >> (MEMORY - 1))
        state = int(came_from[choice[state], state])
    bits.reverse()
    return bits[BITS // 2 : BITS // 2 + BITS]


def _signs(registers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Output (..., 4) of 9-bit registers, as +1 and -1."""
    parity = np.zeros((*registers.shape, len(GENERATORS)), np.int64)
    for index, generator in enumerate(GENERATORS):
        for place in range(MEMORY + 1):
            parity[..., index] ^= (registers & generator) >> place & 1
    return (1 - 2 * parity).astype(np.float64)
