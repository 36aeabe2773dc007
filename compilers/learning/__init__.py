"""From a float Network to one that learns on the chip: the rule's constants, its fit to the chip, its read-out."""
