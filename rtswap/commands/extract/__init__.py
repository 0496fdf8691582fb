"""``rtswap extract``: photos and videos in; aligned faces, what is known of each, and a contact sheet out."""
