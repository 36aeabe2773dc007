"""Data sets by name, as uint8 images in rows, their jitter, and the other worlds that a learning network meets."""
