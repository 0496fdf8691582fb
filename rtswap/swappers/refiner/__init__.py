"""The swappers ``refiner-128`` and ``refiner-256``: a small network repairs what ``mesh`` leaves behind."""
