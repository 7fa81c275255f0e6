"""The tables of a study file: their fields, types, defaults and meanings. Does not import JAX.

The texts below fields are the reference of the study file, and may contain Markdown code.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mcjax.numbers import MOST

Count = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Rows = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Size = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class FeedTable(msgspec.Struct, forbid_unknown_fields=True, rename={"origin": "from"}):
    """``[[network.feeds]]`` and ``[[network.first]]``: one feed."""

    origin: str
    """A model, `real`, `unknown` (of which only `mcjax diagnose` says what may follow), or the name
    of a source."""
    to: str
    """The model that reads. Feeds with the same `from` and `to` add up; they have one weight."""
    samples: Count | None = None
    """Observations in every generation in which it is active. Needed unless `from` is a source that
    has its own, or `share` is given."""
    share: float | None = None
    """In place of `samples`: the share of the rows that the reader fits, of which `[network]` gives
    the number. Shares of a reader add up to 1; counts are those of the largest remainder."""
    weight: float | Annotated[list[float], msgspec.Meta(max_length=10_000)] = 1.0
    """Multiplies the loss of each of these observations. A list has one weight for each generation
    from 1 on, and the last one stays."""
    keep: dict[str, Any] | None = None
    """Rows that the reader keeps of the feed. Feeds that differ in `keep` are separate."""
    every: Count = 1
    """The feed is active in the generations `first`, `first` + `every`, .... This field and the two
    below are for `feeds`."""
    first: Count = 1
    """The first generation in which it is active."""
    until: Count | None = None
    """The last generation in which it may be active; none unless given."""
    probability: float = 1.0
    """The probability that it is active then, drawn anew in each generation, independently of other
    feeds. For `feeds` without `until`."""


class SourceTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[[network.sources]]``: a real source in addition to ``real``."""

    name: str
    """Name of the source in the `from` of feeds. Differs from `real` and from all models."""
    samples: Count | None = None
    """Samples of its feeds that do not give a number."""
    theta: list[float] | None = None
    """Its own truth; that of `[family]` unless given."""
    shift: list[float] | None = None
    """In place of `theta`: its truth is θ + `shift` / √`samples`."""
    covariance: list[list[float]] | None = None
    """Covariance of its covariates, of any rank; that of `[covariates]` unless given."""
    noise: float | None = None
    """Scale of its noise, in place of the family's `sigma`."""
    public: bool = False
    """If true, all readers get the same sample; otherwise each gets its own."""
    real: str | None = None
    """`fresh` or `reused`, as in `[network]`, whose setting holds unless given."""
    file: str | None = None
    """Another file of real data beside `[data]`, whose columns are encoded like those of `[data]`.
    Its truth is what fits its rows, and the four fields from `theta` to `noise` are not given."""


class SwitchingTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[network.switching]``: networks that take turns, or of which one is drawn."""

    networks: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    """Files, relative to the study. They have the same models, and only their feeds count. Needed
    unless feeds have a `probability`, of which this table then gives the `paths`."""
    order: str = "periodic"
    """`periodic`: one after the other, again and again. `random`: each generation draws one,
    independently. `markov`: each generation draws one by that of the generation before."""
    lengths: list[Count] | None = None
    """Number of generations of each network, if `periodic`; 1 unless given."""
    probabilities: list[float] | None = None
    """Probability of each network, if `random`; all are equal unless given."""
    transition: list[list[float]] | None = None
    """Rows of probabilities, if `markov`: row i has those of each network after network i. The
    first one is drawn from the stationary distribution."""
    paths: str | None = None
    """Unless `periodic`: `own`: every chain draws its own networks; so it is unless given.
    `common`: all chains of a condition have the same."""


class NetworkTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[network]``: models and feeds, or a named topology and its sizes."""

    initial: Count | dict[str, Count] | None = None
    """Real samples that each model fits at generation 0: one number, or a table by model name.
    Needed unless `first` feeds all models. Counts go up to 2^63 - 1 for the laws, and to 2^31 - 1
    rows a fit where chains are simulated."""
    models: int | list[str] | None = None
    """Names of the models, at most 65,534, or their number: 3 means "0", "1", "2". The names
    `real` and `unknown` are reserved."""
    feeds: list[FeedTable] = []
    """The feeds of the generations from 1 on. A model without feeds is frozen: it keeps its
    estimate of generation 0."""
    first: list[FeedTable] = []
    """Feeds of generation 0, from real sources. Models without any fit `initial` samples of
    `real`."""
    rows: Count | dict[str, Count] | None = None
    """The rows that a model fits, where feeds have a `share`: one number, or a table by model
    name."""
    sources: list[SourceTable] = []
    """Real sources in addition to `real`."""
    draws: str = "private"
    """`private`: each reader of a model gets a sample of its own. `shared`: a model publishes one
    sample a generation, which all its readers use; all feeds from it then have the same number of
    samples."""
    real: str = "fresh"
    """`fresh`: new real data in every generation. `reused`: a model's real data are always its
    generation-0 sample, so `samples` of its real feed equals its `initial`."""
    memory: str = "replace"
    """Data that a model fits. `replace`: those of the last generation; `accumulate`: all data so
    far; `subsample`: a sample of all data so far."""
    growth: float = 0.0
    """Each feed of generation t provides `samples` × t^`growth` observations, rounded; 0 to 10."""
    groups: dict[str, list[str]] = {}
    """Members of groups of models, such as the versions of one model: `mcjax diagnose` speaks of
    groups, which read what their members read. Other commands are for the models."""
    switching: SwitchingTable | None = None
    """Networks that take turns or are drawn, in place of `feeds`."""
    topology: str | None = None
    """In place of `feeds`: `self_loop`, `chain`, `ring`, `star`, `complete`, `random_directed` or
    `stochastic_block`. The fields below belong to it."""
    samples: Count | None = None
    """Samples of every feed between models of a `topology`."""
    real_samples: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Samples of every real feed of a `topology`; without it, or with 0, there is none."""
    sizes: list[Count] | None = None
    """Numbers of models in the blocks of a `stochastic_block`."""
    probability: float | None = None
    """Probability of each possible feed of a `random_directed` topology."""
    probabilities: list[list[float]] | None = None
    """Probabilities of feeds from block a to b of a `stochastic_block`: `probabilities[a][b]`."""
    seed: Seed | None = None
    """Seed of a topology that is drawn at random."""

    def __post_init__(self) -> None:
        if self.initial is None and not self.first:  # same words as msgspec, for its translation
            raise ValueError("Object missing required field `initial`")


class DataMediatedTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[data_mediated]``: entities that share one pool of synthetic data."""

    entities: Size | list[str]
    """Names of the entities, or their number."""
    private: Count | list[Count]
    """Samples of each entity's own data: a number, or one for each."""
    public: Count
    """Samples of the real data that all share."""
    synthetic: Count | list[Count]
    """Samples that each adds to the pool in every generation: a number, or one for each."""
    alpha: float | list[float] = 0.5
    """Weight of the pool, 0 to 1: a number, or one for each generation from 1 on."""
    beta: float | list[float] = 0.5
    """Weight of private among real data, 0 to 1: a number, or one for each generation from 0 on."""
    theta: list[list[float]] | None = None
    """Truths of the private data, one for each entity."""
    shift: list[list[float]] | None = None
    """In place of `theta`: the truths are θ + `shift` / √`private`."""
    covariance: list[list[list[float]]] | None = None
    """Covariances of the private covariates, one for each entity, of any rank."""
    noise: float | list[float] | None = None
    """Scales of the private noise: a number, or one for each entity."""
    real: str = "reused"
    """`reused`: real data are the same in every generation. `fresh`: they are drawn anew."""


class CovariateTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[covariates]``: ``x ~ N(0, covariance)``, of all rows but those of some models."""

    covariance: list[list[float]] | None = None
    """A p × p matrix, the identity unless given. With an intercept, it is that of the others."""
    intercept: bool = False
    """If true, the first covariate is 1."""
    design: str = "random"
    """`random`: covariates are drawn anew for every sample. `fixed`: they are drawn once, and only
    labels anew."""
    models: dict[str, Any] = {}  # of p rows of p numbers, checked where p is known
    """Covariances of the rows that single models generate, by model name."""


class DataTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[data]``: real data from a file, whose rows are the population."""

    file: str
    """Relative to the study file: CSV, Parquet, npz, idx, or a binary batch of CIFAR-10. Or a data
    set that comes with a package, such as `sklearn:digits` or `statsmodels:engel`."""
    target: str | None = None
    """The column of labels. Needed unless the data set says which it is."""
    covariates: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    """Columns of covariates; all others unless given. A column of texts becomes an indicator for
    each of its texts but the first."""
    labels: str | None = None
    """For images in an idx file: the file of their labels, if it is not named as MNIST's."""
    positive: Any = ()
    """Labels that count as 1, while all others are 0: a value or a list. Of two texts, the last
    unless given."""
    classes: list[Any] = []
    """For `multinomial`: all labels, in the order of the classes; the first is the reference.
    Needed unless labels are the numbers of the classes, from 0 on."""
    intercept: bool = True
    """If true, the first covariate is 1."""
    standardise: bool = False
    """If true, columns are centred and divided by their standard deviations."""
    components: Size | None = None
    """Number of principal components to which the columns are reduced."""
    rows: Size | None = None
    """Rows that are taken, at random; all unless given."""
    held_out: float = 0.0
    """Share of these rows that is kept out, at random."""
    seed: Seed = 0
    """Selects the rows that are taken and kept out."""
    synthetic_covariates: str = "rows"
    """Covariates of the rows that models generate: `rows`: those of the file; `normal`: of a normal
    distribution with their mean and covariance."""


class RunTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[run]``: settings of the simulation and of the verdicts."""

    generations: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10
    """The last generation, T."""
    chains: Annotated[int, msgspec.Meta(ge=2, lt=2**32)] = 4096
    """Simulations of each condition."""
    seed: Seed = 0
    """Selects all random numbers."""
    tolerance: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.05
    """δ: how far from a law still counts as agreement."""
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.99
    """Confidence level of all verdicts together."""
    precision: str = "mixed"
    """`mixed`: draws in single and fits in double precision, and draws in double where single would
    lose the noise. `float64` or `float32`: both."""
    solver: str = "auto"
    """`newton` or `lbfgs`; `auto` takes L-BFGS for more than 64 parameters, or 100 if predictors
    are found in a user's loss, unless the loss depends on them through one linear predictor.
    Excluded by `[estimator]`."""
    chunk: Size = 1024
    """Chains that run in one call of the device, at most."""
    memory: float = 1.0
    """GiB that the inputs and results of one call of the device may take."""
    sampling: str = "auto"
    """`auto`: sufficient statistics where they are all that matters. `rows`: always rows."""
    path: str = "auto"
    """`auto`, or `reference`: never a fast path."""
    quantities: tuple[str, ...] = ("mse",)
    """Quantities that are judged."""


class GridTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[grid]``: lists of values; every combination is a condition.

    Fields of other tables, by their dotted names, are left out; see
    :func:`mcjax.study.schema.names_a_field`.
    """

    network: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    """Files, relative to the study file, each with a `[network]` table; the study then has none."""
    family: Annotated[list[str | dict[str, Any]], msgspec.Meta(min_length=1)] | None = None
    """Names or tables. Parameters in `[family]` belong to the name given there; `theta` and
    `penalty` serve all entries that have none of their own. A table may have `data`, which takes
    the place of `[data]`."""
    scale: Annotated[list[float], msgspec.Meta(min_length=1)] | None = None
    """Each multiplies every sample count. Three or more form a ladder."""
    seed: Annotated[list[Seed], msgspec.Meta(min_length=1)] | None = None
    """Seeds, in place of that of `[run]`."""
    common_draws: bool = False
    """If true, all conditions have the same random numbers, so that differences between them are
    less noisy. A list of scales is then no ladder, whose rungs must be independent."""


class SurveyTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[survey]``: every network of a few models, instead of a network and a family."""

    models: Size
    """Number of models, at most 4."""
    samples: Count = 1000
    """Samples of every feed and of generation 0, at least 100."""
    labelled: bool = True
    """If true, every labelled network is simulated; otherwise one of each isomorphism class."""
    piece: Size = 256
    """Networks that are simulated, and saved, together."""
    switching: str | None = None
    """Makes it a survey of pairs of networks: `periodic` for networks that take turns, `random` for
    one of the two in each generation, with probability 1/2."""
    sample: Size | None = None
    """So many networks, or pairs, drawn at random in place of all."""


class CandidateTable(msgspec.Struct, forbid_unknown_fields=True, rename={"origin": "from"}):
    """``[[design.candidates]]``: a feed that may be added, with its price."""

    origin: str
    """`real`, the name of a source, or a model."""
    to: str
    """The model that would read it."""
    cost: float
    """Cost of the feed, in addition to that of its rows. Without a candidate, a real feed to a
    model has the cost of one row."""
    samples: Count = 1
    """Its rows, if it is added; those of `real` are designed."""


class DesignTable(msgspec.Struct, forbid_unknown_fields=True):
    """``[design]``: how much real data there may be, or how small errors must be."""

    budget: float | None = None
    """Largest cost of real rows in a generation, those of `at_least` included. This, `targets`
    or `feeds`."""
    targets: float | dict[str, float] | None = None
    """In place of `budget`: the largest error of each model in the long run, as `diagnose` shows
    it; a number for all, or a table by model name. Found are the cheapest real rows that keep to
    it."""
    feeds: Count | None = None
    """In place of `budget`: the number of real feeds, each to another model. Needs `size`."""
    size: Count | None = None
    """Rows of each of the `feeds`."""
    objective: str | dict[str, float] | None = None
    """Objective of `budget` or `feeds`, which is made small: `mean`, the mean error of the models
    (unless given); `max`, the largest one; or a table of weights by model name, the sum of the
    errors with these weights. Models that neither have a weight nor feed one that has get no more
    than `at_least`."""
    costs: float | dict[str, float] = 1.0
    """Cost of a real row; a number, or a table by model name, 1 for others."""
    at_least: Rows | dict[str, Rows] = 0
    """Real rows that a model reads in any case; a number, or a table by model name, 0 for others.
    The real feeds of the file are replaced, whatever their size."""
    at_most: Rows | dict[str, Rows] | None = None
    """Largest number of real rows of a model; a number, or a table by model name."""
    weights: bool = False
    """If true, find the best weights of all feeds as well, at the whole rows that are found."""
    robust: str = "none"
    """After which changes nothing is to collapse. `added`: however many feeds between models are
    added. `real`: after the loss of any one real feed. `any`: after that of any one feed. The
    cheapest real feeds that do so have at least a row each. `none` unless given."""
    sealed: list[str] = []
    """Frozen models that nobody can feed, if `robust` is given."""
    candidates: list[CandidateTable] = []
    """Prices of feeds that may be added, by which the cheapest cures are chosen. Real feeds to
    other models are on offer too, unless `at_most` is 0."""


class StudyFile(msgspec.Struct, forbid_unknown_fields=True):
    """A whole study file."""

    network: NetworkTable | None = None
    """Models, their feeds and sample counts."""
    data_mediated: DataMediatedTable | None = None
    """In place of `[network]`: entities that share one pool of synthetic data."""
    family: dict[str, Any] | None = None
    """The statistical model and its true parameters."""
    covariates: CovariateTable | None = None
    """The distribution of the covariates."""
    data: DataTable | None = None
    """Real data from a file, in place of `theta` and `[covariates]`."""
    estimator: dict[str, Any] | None = None
    """Estimator of the model, in place of the model's own."""
    run: RunTable = msgspec.field(default_factory=RunTable)
    """Settings of the simulation and of the verdicts."""
    grid: GridTable = msgspec.field(default_factory=GridTable)
    """Lists of values; every combination is a condition."""
    survey: SurveyTable | None = None
    """In place of a network and a family: every network of a few models."""
    design: DesignTable | None = None
    """Settings of `mcjax design`; other commands leave them out."""


TABLES: dict[str, type[msgspec.Struct]] = {
    "": StudyFile,
    "network": NetworkTable,
    "network.feeds": FeedTable,
    "network.first": FeedTable,
    "network.sources": SourceTable,
    "network.switching": SwitchingTable,
    "data_mediated": DataMediatedTable,
    "covariates": CovariateTable,
    "data": DataTable,
    "run": RunTable,
    "grid": GridTable,
    "survey": SurveyTable,
    "design": DesignTable,
    "design.candidates": CandidateTable,
}
"""The tables by their dotted names; that of the whole file has none."""
