"""What changes in the course of a faceswap-GAN training, by the share of it that is over.

Facts from the notebooks of shaoanlu/faceswap-GAN (40,000 steps) and alvinahmadov/faceswap-parts (21,300): the
recogniser looks on from a fifth on; alpha is free at first, then held above a limit; the decoders are exchanged once,
if asked, so that neither keeps what only its own person's pictures have. In the second half (for parts in the last
fifth) faces are not warped any more, as late in a training of DeepFaceLab's, so that lids and smiles are learnt as
they are: theirs are as large as the warp's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pace:
    """One stretch of a training."""

    until: float
    """Share of the training at which it ends."""
    perception: bool = True
    """Whether the recogniser looks on."""
    least: float | None = None
    """What alpha is held above; None: alpha is held down instead."""
    rate: float = 1.0
    """Of the learning rate."""
    warped: bool = True
    """Whether the network sees warped faces."""
    exchanges: bool = False
    """Whether it begins with an exchange of the decoders."""


WHOLE = (
    Pace(0.2, perception=False),
    Pace(0.3),
    Pace(0.4, least=0.5),
    Pace(0.5, least=0.2),
    Pace(0.67, least=0.4, warped=False),
    Pace(0.8, warped=False),
    Pace(0.9, least=0.1, rate=0.3, warped=False, exchanges=True),
    Pace(1.0, rate=0.1, warped=False),
)
"""For whole faces."""
PARTS = (
    Pace(0.2, perception=False),
    Pace(0.3),
    Pace(0.4, least=0.5),
    Pace(0.5, least=0.2),
    Pace(0.67, least=0.4, rate=0.3),
    Pace(0.8, least=0.5, rate=0.3, exchanges=True),
    Pace(0.9, least=0.1, rate=0.3, warped=False),
    Pace(1.0, rate=0.1, warped=False),
)
"""For parts of the face."""


class Schedule:
    """Where a training is. A checkpoint holds whether its event is over, so that it happens once even if the training
    is made longer."""

    def __init__(self, paces: tuple[Pace, ...], *, exchanging: bool = True) -> None:
        self._paces, self._exchanged = paces, not exchanging

    def at(self, share: float) -> Pace:
        """The stretch that ``share`` 0..1 lies in."""
        return next((pace for pace in self._paces if share < pace.until), self._paces[-1])

    def exchanges(self, share: float) -> bool:
        """Whether to exchange the decoders now; True once."""
        begins = next(self._paces[n - 1].until for n, pace in enumerate(self._paces) if pace.exchanges)
        due = not self._exchanged and share >= begins
        self._exchanged = self._exchanged or due
        return due

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"exchanged": self._exchanged}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self._exchanged = bool(state["exchanged"])
