"""``python -m training.heads``: see ``recipe``."""

from training.__main__ import train
from training.heads.recipe import RECIPE

if __name__ == "__main__":
    train(RECIPE)
