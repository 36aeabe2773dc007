"""Learning on the chip: what is presented when, and what came of it."""
