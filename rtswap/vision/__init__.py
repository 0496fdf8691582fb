"""Arithmetic on pixels and points. Knows no network and no stream."""
