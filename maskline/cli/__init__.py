"""The command `maskline`, a file for each subcommand."""
