"""The command line, ``mcjax``."""
