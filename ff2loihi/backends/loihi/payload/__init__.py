"""The very files that a board's machine runs, under these names; they need nothing of ff2loihi."""
