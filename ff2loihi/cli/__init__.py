"""What a person types and sees: the commands, their options, their tables, progress and errors."""
