"""What a layer is trained for: goodness and its losses, negatives, and the slides' variants."""
