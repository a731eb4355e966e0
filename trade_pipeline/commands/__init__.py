"""Bodies of the commands. `cli` imports them when they run, so that `--help` imports nothing heavy."""
