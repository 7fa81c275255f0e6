"""Models, and a covariance of covariates, for tests of errors away from the truth."""

import numpy as np

from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.quantile import quantile

MIXED = {"name": "contaminated_normal", "share": 0.2, "scale": 3.0}
MODELS = {
    "linear": linear(sigma=0.7),
    "linear, t": linear(sigma=0.7, real_noise={"name": "student_t", "df": 6}),
    "logistic": logistic(),
    "poisson": poisson(),
    "huber": huber(1.0, sigma=0.7),
    "huber, mixed": huber(1.0, sigma=0.7, noise=MIXED),
    "huber, t": huber(1.0, sigma=0.7, noise={"name": "student_t", "df": 3}),
    "huber, laplace": huber(1.0, sigma=0.2, real_noise="laplace"),
    "median": quantile(0.5, sigma=0.7),
    "quantile, t": quantile(0.3, sigma=0.7, noise={"name": "student_t", "df": 4}),
    "quantile, laplace": quantile(0.8, sigma=0.7, noise="laplace"),
}
COVARIANCE = np.array([[1.2, 0.3, 0.0], [0.3, 0.9, -0.2], [0.0, -0.2, 0.7]])
