"""Data sets by name or path, as uint8 images in rows, their jitter, and the other worlds of a learning network."""
