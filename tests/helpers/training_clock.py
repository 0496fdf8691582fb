"""A clock for trainings in tests."""


class Seconds:
    """Every step takes a second."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        self.count += 1
        return float(self.count)
