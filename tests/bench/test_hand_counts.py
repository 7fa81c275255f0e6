"""Operations of a fit, as counted, are those that one counts on paper from the formulas.

Every sum of n numbers has n - 1 additions, and a rotation of bits is one operation. What is left
out on paper (indices, statuses, summaries of a step) is below the tolerance.
"""

import pytest

from mcjax.bench.measure import Case, _operations, _study
from mcjax.engine.compiled import compile_study

NEAR = 0.05
"""Largest share by which a count may differ from that on paper."""
THREEFRY, KEY = 2 + 20 * 3 + 5 * 2, 7
"""Twenty rounds of sum, rotation and exclusive or; five injections of the key; its schedule."""
UNIFORM = 2  # scaled midpoints; shifts are free
LOGARITHM = 3 + 8 * 2 + 7  # exponent and mantissa, a polynomial of degree 8, the remaining terms
SINE = 1 + 6 * 2 + 1  # seven odd terms by Horner's rule
NORMALS = 2 * UNIFORM + LOGARITHM + 2 + (2 + 2 * SINE + 7) + 2
"""Two normals of two words: radius, two sines of a reduced angle, two products."""
FEEDS = 2
GAMMA_ROOT = 2 + 1 + (1 + 3 + 4 + 7 + 7) + 5 * 2 + 2
CHI = 3 + GAMMA_ROOT + 5 + 2


def drawing(p, rows):
    """Operations of the rows of one fit: normal covariates, logistic labels; in pairs of rows."""
    place = 5 + 9 + 2 * 3  # which feed a pair belongs to, and whether its two rows are there
    covariates = p * (THREEFRY + NORMALS + 2) + KEY + 2
    label = UNIFORM + (2 * p - 1) + 5  # u (1 + exp(-eta)) < 1
    return rows / 2 * (place + covariates + THREEFRY + KEY + p + 2 * label)


def newton_pass(p, rows):
    """Operations of one gradient and Hessian, with the search for separation, and of the step."""
    entries = p * (p + 1) // 2
    row = (2 * p - 1) + 7 + 2 + 5  # eta, slope and curvature, weights, its side of the plane
    pair = 2 * row + 3 * p + 2 * p + 3 * entries
    sums = p + entries + 2
    return rows / 2 * (pair + sums) + solve(p)


def solve(p):
    """Cholesky factor, its inverse, the solution, and variance inflation factors."""
    factor = sum(2 * j + 5 + (p - 1 - j) * (2 * j + 2) for j in range(p))
    inverse = sum((p - d) * (2 * d + 1) for d in range(1, p))
    return factor + inverse + 3 * p * p + 2 * p


def counted(case, passes):
    """Operations of a fit in single and in double precision."""
    fits = case.models * 11  # generations
    return _operations(compile_study(_study(case)), passes) / fits


@pytest.mark.parametrize("p", [5, 3])
def test_logistic_fits(p):
    rows, passes = 200, 4.5
    single, double = counted(Case("logistic", p=p, rows=rows), passes)
    # all passes but the last are in single precision
    assert single == pytest.approx(drawing(p, rows) + (passes - 1) * newton_pass(p, rows), rel=NEAR)
    assert double == pytest.approx(newton_pass(p, rows), rel=NEAR)


def test_linear_fits_without_rows():
    p = 5
    normals, entries = p * (p + 3) // 2, p * (p + 1) // 2
    drawn = normals / 2 * (THREEFRY + NORMALS) + THREEFRY + 2 * KEY + p * CHI
    # L'e + sigma z, L times that, and L L', each weighted and added up over feeds
    inner = 2 * entries + p
    right = 2 * entries + p
    gram = sum((i + 1) * (i + 2) - (i + 1) + 2 * (i + 1) for i in range(p))
    parents = 4 * p  # one of four models or a real source
    single, double = counted(Case("linear", p=p), 1.0)
    assert single == pytest.approx(FEEDS * drawn, rel=NEAR)
    assert double == pytest.approx(
        FEEDS * (inner + right + gram + parents) + solve(p) + 2 * p * p, rel=NEAR
    )
