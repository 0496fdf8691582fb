"""Trains the refiner, which mends what the swapper ``mesh`` leaves behind."""
