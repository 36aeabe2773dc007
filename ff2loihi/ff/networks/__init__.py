"""Float networks: layers, label inputs, read-outs, and the checkpoint that the compiler reads."""
