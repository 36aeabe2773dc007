"""The emulator: inference as matrix products, learning as compiled loops, bit-identical to Lava."""
