"""The second-order law: means and second moments of errors to the order after the first.

:mod:`~mcjax.laws.second_order.m_estimators` is the law. What one observation contributes is in
:mod:`~mcjax.laws.second_order.row_tensors`, one fit in :mod:`~mcjax.laws.second_order.fits` and
:mod:`~mcjax.laws.second_order.fit_noise`, one generation in :mod:`~mcjax.laws.second_order.step`,
the recursion over generations in :mod:`~mcjax.laws.second_order.recursion`, its long run in
:mod:`~mcjax.laws.second_order.radius`, and where the law can be trusted in
:mod:`~mcjax.laws.second_order.validity`.
"""
