"""Exit statuses of commands."""

EXIT = {"verified": 0, "refuted": 1, "inconclusive": 3}
BAD_INPUT = 2  # also an environment in which JAX does not start
STOPPED, CLOSED = 130, 141  # what a shell reports for a program ended by SIGINT or SIGPIPE
FAULT = 70  # an error in mcjax; status 1 means "refuted" and nothing else
