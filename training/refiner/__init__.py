"""Teaches the generator ``one``, which mends what the swapper ``mesh`` leaves behind."""
