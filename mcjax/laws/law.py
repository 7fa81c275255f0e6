"""The contract of a law."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Protocol

from mcjax.calls import explained
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.prediction import Prediction
from mcjax.network import Network
from mcjax.study.study import Condition


@explained
class Reason(NamedTuple):
    """Why a law does not apply to a condition.

    Attributes
    ----------
    sentence : str
        The reason, for the user.
    obvious : bool
        Whether nobody would look for the law in this condition, so that predictions need not list
        it as inapplicable.

    Examples
    --------
    >>> import mcjax
    >>> str(mcjax.Reason("sample counts grow, and this law is for constant ones"))
    'sample counts grow, and this law is for constant ones'
    """

    sentence: str
    obvious: bool = False

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


GROWING = Reason(
    "sample counts grow from generation to generation, and this law is for constant ones"
)
CHANGING = Reason("feeds change from generation to generation, and this law is for constant ones")


RANDOM = Reason(
    "every chain draws its networks at random, and this law is for feeds that are known; try"
    " paths = 'common'"
)


def reason_against(law: Law, condition: Condition) -> Reason | None:
    """Return why a law does not apply to a condition, or None.

    Where every chain draws its networks, a law applies only if it says that it averages over them,
    by an attribute ``averages_networks``.
    """
    net = condition.network
    if net.later.random and not getattr(law, "averages_networks", False):
        alone = replace(condition, network=net.with_feeds(net.later.generations[0].feeds))
        return law.applies(alone) or RANDOM
    return law.applies(condition)


def changing(net: Network) -> Reason | None:
    """Return ``CHANGING`` if feeds change other than by growing samples, otherwise None."""
    return None if net.later.constant or net.later.exponent else CHANGING


def not_constant(net: Network) -> Reason | None:
    """Return why feeds are not the same in every generation after the first, or None."""
    return GROWING if net.later.exponent else changing(net)


def has_long_run(net: Network) -> bool:
    """Return whether the long run is that of the feeds that stay.

    It is if earlier generations differ from these in weights alone, or if all samples grow.
    """
    later = net.later
    return later.lasting is not None and (not later.rows_vary or later.exponent > 0)


STOPS = Reason("the estimator does not minimise the loss, and the law is for estimates that do")


def altered(condition: Condition) -> Reason | None:
    """Return why models read other data than their feeders fit and generate alike, or None."""
    net = condition.network
    if condition.sources.from_files:
        return Reason("real data are rows of a file, and the law is for data that models describe")
    if condition.intercept:
        return Reason("the first covariate is an intercept, and the law is for normal covariates")
    for feed in (*net.first, *net.later.feeds):
        if feed.keep is not None:
            return Reason(
                f"model {feed.reader!r} keeps a selection of what {feed.origin!r} generates, and"
                " the law is for whole samples"
            )
    if condition.own_covariances is not None:
        return Reason("models generate rows with covariates of their own, and the law is for one")
    return None


class Inapplicable(Exception):
    """Raised by ``Law.predict`` if its computation shows that the law does not apply.

    An example is an expected Hessian that turns out to be singular. ``str(error)`` is the reason.

    Examples
    --------
    >>> import mcjax
    >>> try:
    ...     raise mcjax.Inapplicable("the expected Hessian is singular")
    ... except mcjax.Inapplicable as reason:
    ...     print(reason)
    ...
    the expected Hessian is singular
    """


class Law(Protocol):
    """A statement about the errors of all models at every generation.

    A law says where it applies and predicts means and covariances of errors, means of functionals,
    or both. It never simulates a network.

    Attributes
    ----------
    name : str
        Its name in results, unique among all laws.
    reference : str
        A citation, or the module that derives the law.
    exact : bool
        Whether it holds at every sample size and without Monte Carlo error.

    Examples
    --------
    >>> import mcjax
    >>> import numpy as np
    >>> class Constant:
    ...     name, reference, exact = "constant", "none", False
    ...     def applies(self, condition):
    ...         return None
    ...     def predict(self, condition, generations):
    ...         size = condition.network.size * len(condition.theta)
    ...         covariance = np.broadcast_to(np.eye(size) / 100, (generations + 1, size, size))
    ...         return mcjax.Prediction.of(covariance, condition.network.size)
    ...
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> [prediction] = mcjax.predict(study, laws=[Constant()])
    >>> prediction.laws["constant"].mse[:, 0].tolist()
    [0.02, 0.02, 0.02]
    """

    name: str
    reference: str
    exact: bool

    def applies(self, condition: Condition) -> Reason | None:
        """Return None if the law applies to the condition, otherwise the reason why not.

        Reasons are those that the condition itself shows, without the computation.
        """

    def predict(self, condition: Condition, generations: int) -> Prediction | FunctionalPrediction:
        """Predict the errors at generations 0 to T of a condition to which the law applies.

        Returns
        -------
        Prediction or FunctionalPrediction
            See :meth:`mcjax.laws.prediction.Prediction.of`. The name of the law, and whether it is
            exact, need not be filled in.

        Raises
        ------
        Inapplicable
            If the computation shows that the law does not apply.
        """
