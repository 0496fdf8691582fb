"""Recipes that make what rtswap ships. Needed only to train."""
