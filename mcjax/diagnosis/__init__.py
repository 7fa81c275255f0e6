"""Diagnose which models of a network fail, how, why, how fast, and what would prevent it.

Importing this package does not import JAX. Nor does a diagnosis, unless it depends on the model.
"""

from mcjax.diagnosis.collapse import diagnose, diagnose_pipeline
from mcjax.diagnosis.failure import Anchor, Explosion
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict, PhaseVerdict
from mcjax.laws.collapse.origins import CollapseOrigin

__all__ = [
    "Anchor",
    "CollapseOrigin",
    "Diagnosis",
    "Explosion",
    "ModelVerdict",
    "PhaseVerdict",
    "diagnose",
    "diagnose_pipeline",
]
