"""Advice: default key or custom key, and what to change about custom keys; drawn from facts, with proofs.

It refuses to know where the facts come from.
"""

from keystead.analysis.advisor.abilities import Ability, abilities, told_abilities
from keystead.analysis.advisor.declared import files
from keystead.analysis.advisor.facts import AccountFacts, Held, KeyFacts, Rotation, Use
from keystead.analysis.advisor.hygiene import Advice, hygiene
from keystead.analysis.advisor.migration import Migration, told_migration
from keystead.analysis.advisor.needs import NEEDS, Need, Recommendation, needs, recommend
from keystead.analysis.advisor.uses import Total, buckets_seen, read_use, totals

__all__ = [
    "NEEDS",
    "Ability",
    "AccountFacts",
    "Advice",
    "Held",
    "KeyFacts",
    "Migration",
    "Need",
    "Recommendation",
    "Rotation",
    "Total",
    "Use",
    "abilities",
    "buckets_seen",
    "files",
    "hygiene",
    "needs",
    "read_use",
    "recommend",
    "told_abilities",
    "told_migration",
    "totals",
]
