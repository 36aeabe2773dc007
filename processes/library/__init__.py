"""What networks of Lava's library processes need besides them: the host's source."""
