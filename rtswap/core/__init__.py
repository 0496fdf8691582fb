"""Data types, protocols, errors and file helpers that every other package uses."""
