"""``python -m training.sharpness``: see ``recipe``."""

from training.__main__ import train
from training.sharpness.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
