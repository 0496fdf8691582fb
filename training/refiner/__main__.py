"""``python -m training.refiner``: see ``recipe``."""

from training.__main__ import train
from training.refiner.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
