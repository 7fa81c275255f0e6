"""The exact law of absorption: whether classes, or all events, are gone."""

from __future__ import annotations

from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.generative.conditions import other_fits
from mcjax.laws.generative.poisson_extinction import not_one_generation, poisson_extinction
from mcjax.laws.generative.wright_fisher import too_large, wright_fisher
from mcjax.laws.law import Reason
from mcjax.models.generative import ClassShares, PoissonRate
from mcjax.study.study import Condition


class Extinction:
    """Exact probabilities of extinction.

    They are those of the classes of a categorical model, or of all events of a Poisson model.
    """

    name = "extinction"
    reference = (
        "absorption of Wright-Fisher chains and of branching Poisson variates, derived in"
        " mcjax.laws.generative.wright_fisher and mcjax.laws.generative.poisson_extinction"
    )
    exact = True

    def applies(self, condition: Condition) -> Reason | None:
        """Return why nothing can go extinct, or why the chances are not known; otherwise None."""
        known = condition.model.generative
        if not isinstance(known, ClassShares | PoissonRate):
            return Reason("estimates have no classes or counts that could vanish", obvious=True)
        unfit = too_large if isinstance(known, ClassShares) else not_one_generation
        return other_fits(condition) or unfit(condition.network)

    def predict(self, condition: Condition, generations: int) -> FunctionalPrediction:
        """Predict richness and loss of the rarest class, or the chance that a rate is not 0."""
        known = condition.model.generative
        if isinstance(known, ClassShares):
            shares = known.shares(condition.theta)
            values = wright_fisher(condition.network, shares, generations)
            reference = "absorption of a Wright-Fisher chain"
            module = "wright_fisher"
        else:
            rate = float(condition.theta[0])
            values = {"alive": poisson_extinction(condition.network, rate, generations)}
            reference = "generating functions of Poisson variates"
            module = "poisson_extinction"
        reference = f"{reference}, derived in mcjax.laws.generative.{module}"
        return FunctionalPrediction("", reference, values)
