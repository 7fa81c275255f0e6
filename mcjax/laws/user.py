"""A user's own law, from a function, an object or a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mcjax.arguments import checked_but
from mcjax.errors import InputError, named_by, naming
from mcjax.faults import users_code
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.law import Inapplicable, Law, Reason
from mcjax.laws.prediction import Prediction
from mcjax.laws.registry import PLACES, built_in
from mcjax.models.user import run_file
from mcjax.study.study import Condition

MomentFunction = Callable[
    [Condition, int], tuple[Float[np.ndarray, "T+1 M p"] | None, Float[np.ndarray, "T+1 M*p M*p"]]
]
"""Returns the means, or None for no bias, and the covariances at generations 0 to T."""


class UserLaw:
    """A law from a function that returns means and covariances; :func:`user_law` builds one."""

    reference = "given by the user"
    exact = False

    def __init__(self, function: MomentFunction, name: str, asymptotic: bool):
        self.name = name
        self.function = function
        self._asymptotic = asymptotic

    def applies(self, condition: Condition) -> Reason | None:
        """Return None: the function decides."""
        return None

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Return the function's means and covariances as a prediction.

        Raises
        ------
        InputError
            If they do not have the shapes of means and covariances.
        """
        size, p = condition.network.size, len(condition.theta)
        mean, covariance = self.function(condition, generations)
        mean = np.zeros((generations + 1, size, p)) if mean is None else np.asarray(mean, float)
        covariance = np.asarray(covariance, float)
        _check_moments(self.name, mean, covariance, (generations, size, p))
        return Prediction.of(covariance, size, mean, asymptotic=self._asymptotic)


class CheckedLaw:
    """A user's law whose faults are input errors that name it."""

    def __init__(self, name: str, law: Law):
        self.name = name
        self.reference = law.reference
        self.exact = law.exact
        self.averages_networks = getattr(law, "averages_networks", False)
        self._law = law

    def applies(self, condition: Condition) -> Reason | None:
        """Return what the law says.

        Raises
        ------
        InputError
            If the law fails, or returns neither None nor a reason.
        """
        with _faults(self.name, self._law, "applies"):
            reason = self._law.applies(_copied(condition))
        if reason is not None and not isinstance(reason, Reason):
            raise InputError(
                f"law.{self.name}",
                f"applies returned {type(reason).__name__}; return None or a Reason",
            )
        return reason

    def predict(self, condition: Condition, generations: int) -> Prediction | FunctionalPrediction:
        """Return what the law predicts.

        Raises
        ------
        InputError
            If the law fails, or returns no prediction for these generations, models and parameters.
        """
        size, p = condition.network.size, len(condition.theta)
        with _faults(self.name, self._law, "predict"):
            result = self._law.predict(_copied(condition), generations)
        if isinstance(result, Prediction):
            self._check(result, generations, size, p)
            for version in result.versions:
                self._check(version, generations, size, p)
                if (version.pooled is None) != (result.pooled is None):
                    raise self._fault("pooled")
            values = result.functionals
            versions = tuple(version.functionals for version in result.versions)
        elif isinstance(result, FunctionalPrediction):
            values, versions = result.values, result.versions
        else:
            raise InputError(
                f"law.{self.name}", f"returned {type(result).__name__}; return a Prediction"
            )
        for functionals in (values, *versions):
            if set(functionals) != set(values):
                raise self._fault("the names of functionals")
            for part, array in functionals.items():
                _check_shape(self.name, part, np.asarray(array), (generations + 1, size))
        if len(versions) == 1:
            problem = "returned a prediction with one version; give two or more, or none"
            raise InputError(f"law.{self.name}", problem)
        return result

    def _fault(self, part: str) -> InputError:
        """Return the error of a version that has not what the prediction has."""
        problem = f"returned a version that differs from the prediction in {part}"
        return InputError(f"law.{self.name}", f"{problem}; give each version what the law predicts")

    def _check(self, result: Prediction, generations: int, size: int, p: int) -> None:
        mean = np.zeros((generations + 1, size, p)) if result.mean is None else result.mean
        _check_moments(self.name, mean, result.covariance, (generations, size, p))
        _check_shape(self.name, "mse", result.mse, (generations + 1, size))
        for part in ("growth", "limit"):
            _check_shape(self.name, part, getattr(result, part), (size,))


@checked_but("function")
def user_law(function: MomentFunction, name: str = "user", asymptotic: bool = False) -> Law:
    """Return a law that is judged beside the built-in ones.

    A law that says where it applies, or that gives growth rates, limits or errors of its own, is an
    object: see :class:`mcjax.laws.law.Law`.

    Parameters
    ----------
    function : callable
        ``function(condition, generations) -> (mean, covariance)`` of the errors at generations 0 to
        T of M models with p parameters: ``mean`` has shape (T + 1, M, p) or is None for no bias,
        ``covariance`` has shape (T + 1, M p, M p), with models in the network's order.
        ``condition`` has ``network``, ``model``, ``theta`` and ``covariance`` (of x).
    name : str, optional
        Defaults to "user".
    asymptotic : bool, optional
        Whether it is a limit as sample counts grow, see
        :class:`mcjax.laws.prediction.Prediction`.

    Raises
    ------
    InputError
        If ``function`` cannot be called.

    Examples
    --------
    >>> import mcjax
    >>> import numpy as np
    >>> def moments(condition, generations):
    ...     size = condition.network.size * len(condition.theta)
    ...     return None, np.stack([(t + 1) * np.eye(size) / 100 for t in range(generations + 1)])
    ...
    >>> law = mcjax.user_law(moments, name="linear growth")
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> [prediction] = mcjax.predict(study, laws=[law])
    >>> prediction.laws["linear growth"].mse[:, 0].tolist()
    [0.02, 0.04, 0.06]
    """
    if not callable(function):
        raise InputError(f"law.{name}", "is no function; define it with def")
    return UserLaw(function, name, asymptotic)


def laws_from_files(paths: Sequence[Path]) -> list[Law]:
    """Return the laws of several files, or built-in ones where no file has their name.

    Raises
    ------
    InputError
        If two laws have one name; also see :func:`law_from_file`.
    """
    laws: list[Law] = []
    for path in paths:
        named = str(path) in PLACES and not path.exists()
        with named_by("--law"):
            law = built_in(str(path)) if named else law_from_file(path)
        if any(law.name == other.name for other in laws):
            raise InputError("--law", f"gives two laws named {law.name!r}; rename one", str(path))
        laws.append(law)
    return laws


def law_from_file(path: Path) -> Law:
    """Return the law that a Python file defines.

    The file defines ``law(condition, generations)``, and perhaps ``asymptotic = True``, which makes
    a law named after the file; or ``LAW``, an object that is a :class:`mcjax.laws.law.Law`.

    Raises
    ------
    InputError
        If the file does not run, or defines no law.
    """
    names = run_file(path)
    if "LAW" in names:
        law: Law = names["LAW"]
        return law
    if "law" not in names:
        raise InputError(
            "law", "is missing; define law(condition, generations), or an object LAW", str(path)
        )
    with naming(path):
        return user_law(names["law"], path.stem, bool(names.get("asymptotic", False)))


def _faults(name: str, law: Law, method: str) -> AbstractContextManager[None]:
    """Turn whatever a user's law raises into an input error that names the law."""
    function = law.function if isinstance(law, UserLaw) else getattr(law, method)
    return users_code(f"law.{name}", function, passing=(Inapplicable,))


def _copied(condition: Condition) -> Condition:
    """Return a condition whose numbers may be written to; its arrays are read-only."""
    model = replace(condition.model, params=dict(condition.model.params))
    return replace(condition, model=model)


def _check_shape(name: str, part: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InputError(f"law.{name}", f"returned a {part} of shape {array.shape}; return {shape}")


def _check_moments(
    name: str, mean: np.ndarray, covariance: np.ndarray, sizes: tuple[int, int, int]
) -> None:
    """Raise an input error unless these are moments of errors; ``sizes`` is T, M and p."""
    generations, size, p = sizes
    _check_shape(name, "mean", mean, (generations + 1, size, p))
    _check_shape(name, "covariance", covariance, (generations + 1, size * p, size * p))
    for part, array in (("mean", mean), ("covariance", covariance)):
        if np.isnan(array).any():
            raise InputError(f"law.{name}", f"returned a {part} that is not a number")
    with np.errstate(invalid="ignore"):
        apart = np.abs(covariance - np.swapaxes(covariance, 1, 2)).max()
    if np.isfinite(covariance).all() and apart > 1e-8 * np.abs(covariance).max():
        raise InputError(f"law.{name}", "returned a covariance that is not symmetric")
    finite = covariance[np.isfinite(covariance).all((1, 2))]
    if len(finite):
        lowest = np.linalg.eigvalsh(finite).min(1)
        if (lowest < -1e-8 * np.abs(finite).max((1, 2))).any():
            raise InputError(
                f"law.{name}",
                f"returned a covariance with the negative eigenvalue {lowest.min():.3g}",
            )
