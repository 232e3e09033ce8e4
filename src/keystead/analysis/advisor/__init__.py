"""Advice: default key or custom key, and what to change about custom keys; drawn from facts, with proofs.

It refuses to know where the facts come from.
"""

from keystead.analysis.advisor.abilities import Ability, abilities, told_abilities
from keystead.analysis.advisor.advice import AdviceOnCustom, AdviceOnDefault, Advised, Wishes, advised
from keystead.analysis.advisor.declared import files
from keystead.analysis.advisor.facts import AccountFacts, Held, KeyFacts, Rotation, Use, peopled
from keystead.analysis.advisor.hygiene import Advice, hygiene
from keystead.analysis.advisor.migration import Migration, told_migration
from keystead.analysis.advisor.needs import NEEDS, Need, Recommendation, needs, recommend
from keystead.analysis.advisor.readers import accounts_let_in
from keystead.analysis.advisor.uses import Total, buckets_seen, read_use, successful, totals

__all__ = [
    "NEEDS",
    "Ability",
    "AccountFacts",
    "Advice",
    "AdviceOnCustom",
    "AdviceOnDefault",
    "Advised",
    "Held",
    "KeyFacts",
    "Migration",
    "Need",
    "Recommendation",
    "Rotation",
    "Total",
    "Use",
    "Wishes",
    "abilities",
    "accounts_let_in",
    "advised",
    "buckets_seen",
    "files",
    "hygiene",
    "needs",
    "peopled",
    "read_use",
    "recommend",
    "successful",
    "told_abilities",
    "told_migration",
    "totals",
]
