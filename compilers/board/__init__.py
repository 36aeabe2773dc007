"""From integers to cores: chips and boards, populations, placement, and a second count of it."""
