"""Teaches the network that tells whether a face is the person of a moment ago."""
