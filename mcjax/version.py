"""The version of mcjax that is installed."""

from importlib.metadata import version

__version__ = version("mcjax")
