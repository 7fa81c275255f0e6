"""The first-order law: errors of M-estimators as sample counts grow, on any network.

:mod:`~mcjax.laws.first_order.m_estimators` is the law,
:mod:`~mcjax.laws.first_order.score_equations` builds its linear system, and
:mod:`~mcjax.laws.first_order.linear_system` steps it through generations.
"""
