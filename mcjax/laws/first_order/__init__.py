"""The first-order law: errors of M-estimators as sample counts grow, on any network.

:mod:`~mcjax.laws.first_order.m_estimators` is the law. Its linear system comes from
:mod:`~mcjax.laws.first_order.score_equations` where all real data have one truth, and from
:mod:`~mcjax.laws.first_order.path_system` where they have several;
:mod:`~mcjax.laws.first_order.linear_system` steps it through generations, and
:mod:`~mcjax.laws.first_order.path_bias` adds the bias of small samples where they have several.
"""
