"""The files that the chains of a condition draw rows from, as arrays."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from mcjax.chains.files import FileArrays
from mcjax.study.covariates import NormalCovariates, RowCovariates
from mcjax.study.study import Condition


def file_arrays(condition: Condition) -> FileArrays | None:
    """Return the files that a condition draws from, or None."""
    if not condition.sources.from_files:
        return None
    laws = condition.covariate_laws
    origins = laws.models, *laws.sources
    rows = {law.data.digest: law.data for law in origins if isinstance(law, RowCovariates)}
    place = {digest: k for k, digest in enumerate(rows)}
    sizes = [len(data.y) for data in rows.values()]
    file = [place[law.data.digest] if isinstance(law, RowCovariates) else -1 for law in origins]
    nothing = np.zeros(len(condition.covariance))
    means = [law.mean if isinstance(law, NormalCovariates) else nothing for law in origins]
    return FileArrays(
        x=np.concatenate([data.x for data in rows.values()]),
        y=np.concatenate([data.y for data in rows.values()]),
        begin=np.cumsum([0, *sizes[:-1]]).astype(np.uint32),
        size=np.array(sizes, np.uint32),
        file=np.array(file, np.int32),
        labelled=np.array([False, *(data is not None for data in condition.sources.data)]),
        mean=np.array(means) if -1 in file else None,
    )


def files_key(condition: Condition) -> Hashable:
    """Return what tells the files of a condition, and who draws from them, from those of others."""
    if not condition.sources.from_files:
        return None
    given = (data and data.digest for data in condition.sources.data)
    own = (source.covariance is not None for source in condition.network.sources)
    return (condition.data and condition.data.digest, *given, *own)
