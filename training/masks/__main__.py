"""``python -m training.masks``: see ``recipe``."""

from training.__main__ import train
from training.masks.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
