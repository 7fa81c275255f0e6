"""The diagnosis of a file."""

from mcjax.diagnosis import diagnose_pipeline
from mcjax.study.pipeline import read_pipeline


def diagnose_file(path, tell=None):
    """Read a file and diagnose its network."""
    found = read_pipeline(path)
    if tell is not None:
        tell(found.note)
    return diagnose_pipeline(found, path)[1]
