"""Processes of networks that only classify: input, neurons, pools, normalisation, goodness."""
