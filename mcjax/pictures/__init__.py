"""Draw networks with their diagnosis, as SVG and in letters; large ones are folded.

:mod:`~mcjax.pictures.scene` says what is drawn, :mod:`~mcjax.pictures.layers` where, and
:mod:`~mcjax.pictures.svg` and :mod:`~mcjax.pictures.sketch` draw it. Importing this package imports
neither JAX nor Matplotlib.
"""
