"""FSGAN: reenact the source's photo step by step, fill what is hidden, blend into the target."""
