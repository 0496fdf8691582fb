"""``python -m training.landmarks``: see ``recipe``."""

from training.__main__ import train
from training.landmarks.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
