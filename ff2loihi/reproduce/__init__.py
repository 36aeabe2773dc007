"""A paper's tables beside our own measurements."""
