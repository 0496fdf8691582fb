"""The swapping methods. ``bind`` once per source, ``swap`` per face."""
