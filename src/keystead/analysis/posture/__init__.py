"""Posture: what scanners ask of keys, answered by what policies mean, and what a scanner that reads syntax will say.

It refuses to know where the facts come from.
"""

from keystead.analysis.posture.checks import CHECKS, Check, Judged, judge_key
from keystead.analysis.posture.identity import IDENTITY_CHECK, judge_identity
from keystead.analysis.posture.told import told

__all__ = ["CHECKS", "IDENTITY_CHECK", "Check", "Judged", "judge_identity", "judge_key", "told"]
