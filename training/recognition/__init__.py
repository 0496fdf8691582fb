"""Trains the network that tells whether a face is still the same person."""
