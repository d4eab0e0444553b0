"""One module a command: `HELP`, `arguments(parser)` and `run(args) -> exit status`. Heavy imports wait for `run`."""
