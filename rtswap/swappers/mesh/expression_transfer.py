"""Move the source's shape as the faces in a stream move."""

from __future__ import annotations

from rtswap.core.types import BatchedTarget, Points, Target
from rtswap.swappers.mesh.neutral_expression import Motion, NeutralExpression
from rtswap.swappers.mesh.shape import PERSONAL, SourceShape, mean_measures


class ExpressionTransfer:
    """Stores the neutral expression of each track. ``expression``: share of the target's to follow."""

    def __init__(self, shape: SourceShape, expression: float) -> None:
        self._shape, self.expression = shape, expression
        self._neutrals: dict[int, NeutralExpression] = {}

    def destination(self, face: Target | BatchedTarget) -> tuple[Points, Motion]:
        """The source's landmarks (468, 3) with the target's pose and expression, and the motion of the target."""
        neutral = self._neutrals.setdefault(face.track_id, NeutralExpression(mean_measures(), PERSONAL))
        points = self._shape.destination(
            face.landmarks,
            expression=self.expression,
            neutral=neutral,
            visibility=face.visibility,
            time_s=face.time_s,
        )
        assert neutral.motion is not None
        return points, neutral.motion

    def take_over(self, former: ExpressionTransfer) -> None:
        """Use what ``former`` has learnt of the targets."""
        self._neutrals = former._neutrals

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._neutrals.pop(track_id, None)
