"""A small file of misspecified data, and a network that reads it."""

import numpy as np
import pandas as pd
from scipy.special import expit

import mcjax

RNG = np.random.default_rng(11)
N = 300
A, B = RNG.exponential(1.0, N) - 1, RNG.standard_t(6, N)
FRAME = pd.DataFrame(
    {
        "a": A,
        "b": B,
        "amount": 0.5 * A - B + A * B / 2 + (0.3 + np.abs(A)) * RNG.exponential(1.0, N),
        "answer": RNG.random(N) < expit(0.5 * A - B + 0.8 * A * B),
        "count": RNG.negative_binomial(2, 1 / (1 + 0.5 * np.exp(0.3 * A + 0.2 * B))),
    }
)
TARGETS = {
    "linear": "amount",
    "huber": "amount",
    "logistic": "answer",
    "poisson": "count",
    "probit": "answer",
}
MODELS = {
    "linear": mcjax.linear(),
    "huber": mcjax.huber(),
    "logistic": mcjax.logistic(),
    "poisson": mcjax.poisson(),
    "probit": mcjax.probit(),
}


def data_for(name, frame=FRAME, **choices):
    """Return the rows for a model."""
    return mcjax.Data.from_frame(frame, TARGETS[name], covariates=("a", "b"), **choices)


def loop(samples, **choices):
    """Return one model, half of whose data are real."""
    return mcjax.topologies.self_loop(samples=samples, real=samples, initial=2 * samples, **choices)
