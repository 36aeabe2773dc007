"""What runs a back end to count or to time: events of a sample, samples a second."""
