"""From outside to a float Network: .pt checkpoints and their spec, NIR graphs, every check of what they say."""
