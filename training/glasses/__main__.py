"""``python -m training.glasses``: see ``recipe``."""

from training.__main__ import train
from training.glasses.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
