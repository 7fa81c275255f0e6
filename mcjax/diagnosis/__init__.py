"""Which models of a network collapse, why, how fast, and what would change it. Imports no JAX."""

from mcjax.diagnosis.collapse import Diagnosis, ModelVerdict, diagnose
from mcjax.laws.sources import UnstableSource

__all__ = ["Diagnosis", "ModelVerdict", "UnstableSource", "diagnose"]
