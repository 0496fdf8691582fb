"""Was it made with rtswap? Looks for the invisible mark and the manifest in files that came from anywhere."""

from rtswap.disclosure.verdict import MarkReader, Span, Verdict
from rtswap.verification.run import verify

__all__ = ["MarkReader", "Span", "Verdict", "verify"]
