"""Configuration, and the assembly of a run from it."""
