"""The faceset: a folder of aligned faces with all that a training needs to know of them (docs/faceset.md)."""
