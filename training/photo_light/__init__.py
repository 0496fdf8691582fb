"""Trains the network that finds the light on a photo's skin."""
