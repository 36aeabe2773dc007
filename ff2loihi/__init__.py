"""ff2loihi: Forward-Forward networks from PyTorch to Lava and Loihi."""
