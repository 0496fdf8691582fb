"""``python -m training.close_ups``: see ``recipe``."""

from training.__main__ import train
from training.close_ups.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
