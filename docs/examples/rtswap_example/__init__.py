"""A swapper, a finish, an input and an output for rtswap: docs/writing-parts.md."""
