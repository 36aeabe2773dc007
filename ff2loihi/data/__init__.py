"""Data sets by name, as uint8 images in rows, and the shifted worlds that a learning network meets."""
