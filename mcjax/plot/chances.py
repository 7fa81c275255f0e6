"""Plot the power that a plan announces against the number of chains."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from mcjax import api
from mcjax.arguments import checked_but
from mcjax.errors import InputError
from mcjax.laws.registry import Laws
from mcjax.plot.style import PALETTE, axes_for, label_ends, title
from mcjax.study.study import Study
from mcjax.verdicts.plan import plan

POWERS = (0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


@checked_but("laws")
def power(study: Study, laws: Laws | None = None, ax: Axes | None = None) -> Axes:
    """Plot the announced power of a study against the number of chains.

    It is the probability that all claims of a quantity by a law are verified if the law is true,
    see :mod:`mcjax.verdicts.plan`. Of more than seven curves the first seven are drawn. A dotted
    line marks the chains of the study. Nothing is simulated.

    Parameters
    ----------
    study : Study
        The study.
    laws : mapping of str to Law, or iterable of Law or str, optional
        Further laws, see :func:`mcjax.predict`.
    ax : Axes, optional
        Axes to draw on; defaults to those of a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    InputError
        If no number of chains verifies anything.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> axes = mcjax.plot.power(study)
    >>> axes.get_xlabel()
    'chains of each condition'
    """
    curves = announced(study, laws)
    judged, quantities = ({place[k] for place in curves} for k in (0, 1))
    with axes_for(ax) as axes:
        ends: list[tuple[float, str, str]] = []
        reach = [study.chains]
        for ((law, quantity), points), colour in zip(curves.items(), PALETTE, strict=False):
            chains, powers = zip(*points, strict=True)
            axes.plot(chains, powers, color=colour)
            parts = [quantity] * (len(quantities) > 1) + [law] * (len(judged) > 1)
            ends.append((powers[-1], ", ".join(parts), colour))
            reach += chains
        axes.axvline(study.chains, color="0.4", linestyle=":")
        if max(reach) > 10 * min(reach):
            axes.set_xscale("log")
            few = max(reach) < 40 * min(reach)  # more do not fit a column
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("chains of each condition")
        axes.set_ylabel("power")
        key = f"all cells verified at ±{100 * study.tolerance:g}% if the law is true"
        whole = [next(iter(names)) for names in (quantities, judged) if len(names) == 1]
        left_out = len(curves) > len(PALETTE)
        note = f"first {len(PALETTE)} of {len(curves)} claims" if left_out else ""
        title(axes, ", ".join(whole), key, f"dotted: the study's {study.chains:,} chains", note)
        label_ends(axes, ends)
    return axes


def announced(
    study: Study, laws: Laws | None = None
) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Return chains and the power that they give, by law and quantity.

    Raises
    ------
    InputError
        If no number of chains verifies anything.
    """
    predictions = api.predict(study, laws)
    curves: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for power in POWERS:
        for need in plan(study, predictions, power).needs:
            if need.chains is not None:
                curves.setdefault((need.law, need.quantity), []).append((need.chains, power))
    if not curves:
        raise InputError("study", "has no claim that a number of chains verifies; see --plan")
    return curves
