"""Design the real data of a network: how many rows for which model, at what price.

:mod:`~mcjax.design.response` says how the errors in the long run respond to real rows. They are
convex in them, so that :mod:`~mcjax.design.weighted` and :mod:`~mcjax.design.limited` find an
optimum, with a bound that certifies it. Importing this package does not import JAX.
"""

from mcjax.design.allocation import Allocation
from mcjax.design.design import design_file

__all__ = ["Allocation", "design_file"]
