"""``python -m training.photo_light``: see ``recipe``."""

from training.__main__ import train
from training.photo_light.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
