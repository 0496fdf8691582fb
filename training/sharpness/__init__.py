"""Trains the sharpness network, which estimates the detail that an enlarged face lacks."""
