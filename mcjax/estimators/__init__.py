"""Estimators: how a model is fitted to one weighted data set.

An estimator is a small frozen object with one method, ``fit(model, data, start, key) -> Fit``. It
knows nothing about networks, chains or batching.
"""
