"""Trains the network that finds the glasses a face wears."""
