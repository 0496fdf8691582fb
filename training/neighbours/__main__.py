"""``python -m training.neighbours``: see ``recipe``."""

from training.__main__ import train
from training.neighbours.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
