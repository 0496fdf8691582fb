"""The ground that every room stands on: values, seams, errors, files."""
