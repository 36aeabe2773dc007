"""What each command does between its options and its report: loads, calls the API, shows tables."""
