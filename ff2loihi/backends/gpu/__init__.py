"""Many networks of one shape that learn side by side, each in a block of threads of a CUDA device: for sweeps."""
