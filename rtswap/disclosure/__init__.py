"""Disclosure: label frames as synthetic. The only code that creates a MarkedImage."""

from rtswap.disclosure.badge import POSITIONS, STYLES, TEXTS, Badge
from rtswap.disclosure.stamp import NO_BADGE_NOTICE, Disclosure

__all__ = ["NO_BADGE_NOTICE", "POSITIONS", "STYLES", "TEXTS", "Badge", "Disclosure"]
