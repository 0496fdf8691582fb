"""Was it made with rtswap? Looks for the invisible mark and the manifest in files that came from anywhere."""

from rtswap.commands.verify.run import verify
from rtswap.disclosure.verdict import MarkReader, Span, Verdict

__all__ = ["MarkReader", "Span", "Verdict", "verify"]
