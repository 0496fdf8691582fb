"""``rtswap extract``: cut aligned faces out of photos and videos; write their data and a contact sheet."""
