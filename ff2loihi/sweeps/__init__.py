"""A sweep: a space of options, a trial for each of its points, where trials run, and what they show together."""
