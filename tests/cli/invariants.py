"""Check properties that every run of a command has, whatever its file says."""

from __future__ import annotations

import json

STATUSES = (0, 1, 2, 3)


def broken_rule(command, status, out, err):
    """Return which rule a run broke, or None.

    Parameters
    ----------
    command : tuple of str
        The command and its options, without the file.
    status : int
        Its exit status.
    out, err : str
        What it wrote to standard output and standard error.
    """
    if status not in STATUSES:
        return f"exit status {status}"
    if status in (1, 3) and command[0] != "verify":
        return f"exit status {status} of {command[0]}"
    if "Traceback" in err:
        return "a traceback"
    for text in (out, err):
        if not all(letter.isprintable() or letter in "\n\t" for letter in text):
            return "letters that do not print"
    told = [line for line in err.splitlines() if not line.startswith("read: ")]
    if status == 2:
        if out and command[0] != "check":  # which prints every check, and ends with 2 if one fails
            return "output beside an error"
        if len(told) != 1 or not told[0].startswith("mcjax: "):
            return "not one sentence"
        if len(told[0]) > 2000:
            return "a sentence without end"
    elif "--json" in command:
        try:
            json.loads(out, parse_constant=_refused)
        except ValueError:
            return "no JSON"
    return None


def _refused(constant):
    raise ValueError(constant)
