"""Settings, and the program that is put together from them."""
