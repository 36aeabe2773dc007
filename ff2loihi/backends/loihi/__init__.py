"""Loihi 2 boards: finding one, the files that its machine needs, running them."""
