"""The second detector: where heads may be."""
