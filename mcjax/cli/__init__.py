"""The command line, ``mcjax``.

The parameters of a function ``run_COMMAND`` are the arguments and options of that command, which
:mod:`mcjax.cli.main` describes.
"""
