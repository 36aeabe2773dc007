"""An artifact on its way to another machine: its place on a board, a deployment's folder, other frameworks' files."""
