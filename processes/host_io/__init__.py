"""The host's side of any network: rows of a file as input, ports and Vars as rows of a file."""
