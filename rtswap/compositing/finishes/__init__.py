"""The steps between swap and paste."""
