"""``python -m training.recognition``: see ``recipe``."""

from training.__main__ import train
from training.recognition.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
