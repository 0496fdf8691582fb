"""Fixtures of the command line's tests."""

from fake_run import loop as loop
