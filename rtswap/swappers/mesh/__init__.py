"""The swapper ``mesh``: the photo's own pixels, moved by formula."""
