"""Diagnose which models of a network collapse, why, how fast, and what would prevent it.

This package does not import JAX.
"""

from mcjax.diagnosis.collapse import Diagnosis, ModelVerdict, diagnose
from mcjax.laws.collapse.origins import CollapseOrigin

__all__ = ["CollapseOrigin", "Diagnosis", "ModelVerdict", "diagnose"]
