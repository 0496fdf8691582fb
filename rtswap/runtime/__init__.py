"""The loop itself: one frame after the other, its threads, its latency budget."""
