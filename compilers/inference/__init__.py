"""From a float Network to the chip's integers: quantization, thresholds, the integer forward pass, read-outs, rules."""
