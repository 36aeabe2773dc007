"""Networks as graphs of Lava processes; imported in the child alone, for only there is Lava loaded."""
