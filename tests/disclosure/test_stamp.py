"""The stamp of a session, and another badge while it runs."""

from __future__ import annotations

import numpy as np

from rtswap.disclosure.badge import Badge
from rtswap.disclosure.stamp import Stamp


def where(stamp: Stamp) -> tuple[bool, bool]:
    """Whether something is drawn in the left and the right half of a grey picture."""
    image = np.full((360, 640, 3), 128, np.uint8)
    stamp.redeem(stamp.apply(image))
    return bool((image[:, :320] != 128).any()), bool((image[:, 320:] != 128).any())


def test_another_badge_is_drawn_from_the_next_picture_on() -> None:
    stamp = Stamp(Badge(position="bl"))
    assert where(stamp) == (True, False)
    stamp.use(Badge(position="tr"))
    assert where(stamp) == (False, True)
    receipt = stamp.apply(np.zeros((360, 640, 3), np.uint8))
    stamp.use(None)
    assert stamp.redeem(receipt).any(), "receipts from before stay good"
    assert where(stamp) == (False, False)
