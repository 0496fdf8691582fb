"""Consent: a photo becomes a source only after the user confirms that the person shown has agreed."""

from rtswap.source.consent.question import STATEMENT, ask, ask_on_terminal, digests_of_nobody
from rtswap.source.consent.record import ConsentRecord, photo_digest

__all__ = ["STATEMENT", "ConsentRecord", "ask", "ask_on_terminal", "digests_of_nobody", "photo_digest"]
