"""Processes of networks that only classify: input, neurons, normalisation, goodness."""
