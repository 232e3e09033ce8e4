"""What an analyzer finds of one resource: who from outside its zone of trust gets in. Nothing here is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

import msgspec

from keystead import __version__
from keystead.analysis.effective import Key
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.outside import ASSUMING, Guarded, Opening, outside_access
from keystead.analysis.questions.zone import controls
from keystead.api.analyzed import BUCKET, KEY, Analyzed
from keystead.api.directory import ACCOUNTS, ORGANIZATIONS
from keystead.api.guardrails import place_of
from keystead.api.permissions import S3
from keystead.api.reading import Reading
from keystead.policy import CompiledPolicy, Level, compile_key_policy, compile_policy, parse
from keystead.policy.document import Condition
from keystead.policy.principal import account_of
from keystead.policy.publicness import is_public
from keystead.services.accessanalyzer.tables import Analyzer
from keystead.storage import Transaction

_OF_BUCKETS: Final = S3 - {"s3:CreateBucket", "s3:ListAllMyBuckets"}
"""What a bucket's policy can allow."""


class Zone(msgspec.Struct, frozen=True):
    """Whom an analyzer trusts: these accounts, and the organization that they are, if they are one."""

    accounts: frozenset[str]
    organization: str = ""


def zone_of(tx: Transaction, analyzer: Analyzer) -> Zone:
    """Whom the analyzer trusts, by what is stored now."""
    own = tx.get(ACCOUNTS, analyzer.account)
    if not analyzer.type.startswith("ORGANIZATION") or own is None or not own.organization:
        return Zone(frozenset({analyzer.account}))
    organization = tx.get(ORGANIZATIONS, own.organization)
    if organization is None or organization.management != analyzer.account:
        return Zone(frozenset({analyzer.account}))
    members = (account for account, one in tx.scan(ACCOUNTS, "") if one.organization == organization.id)
    return Zone(frozenset(members), organization.id)


def control_of(tx: Transaction, account: str) -> tuple[Level, ...]:
    """The RCPs that bind the account's resources."""
    return place_of(Reading(tx), account).control


def digest(resource: Analyzed, zone: Zone, control: tuple[Level, ...]) -> bytes:
    """What changes whenever `examine` may find something else."""
    rcps = [policy.document for policy in controls(control)]
    told = (__version__, resource, sorted(zone.accounts), zone.organization, rcps)
    return sha256(msgspec.msgpack.encode(told, order="deterministic")).digest()


def restriction_of(control: tuple[Level, ...]) -> str:
    """What findings say of RCPs."""
    return "APPLIED" if controls(control) else "NOT_APPLICABLE"


def examine(resource: Analyzed, zone: Zone, control: tuple[Level, ...]) -> tuple[Opening, ...]:
    """Who from outside the zone gets in, once for each principal and condition.

    Raises:
        Undecided: it is neither proven nor refuted.
        AnalysisFault: the evaluator contradicts the analysis.
        errors.MalformedPolicyDocument: the policy cannot be read.
    """
    ways = _ways_to_key if resource.type == KEY else _ways_in
    return tuple(_joined(ways(resource, zone, control)))


def condition_of(conditions: Iterable[Condition]) -> dict[str, str]:
    """The values by key, as findings show them."""
    shown: dict[str, list[str]] = {}
    for one in conditions:
        shown.setdefault(one.key, []).extend(one.values)
    return {key: ",".join(dict.fromkeys(values)) for key, values in shown.items()}


def _ways_to_key(resource: Analyzed, zone: Zone, control: tuple[Level, ...]) -> Iterable[Opening]:
    key = Key(
        arn=resource.arn,
        account=resource.account,
        policy=compile_key_policy(resource.policy, dict(resource.bound)),
        grants=resource.grants,
        resource_control=control,
    )
    return external_access(key, zone.accounts, zone.organization)


def _ways_in(resource: Analyzed, zone: Zone, control: tuple[Level, ...]) -> Iterable[Opening]:
    if not resource.policy or (resource.restrict and is_public(resource.policy)):
        return ()
    policy, bucket = _compiled(resource), resource.type == BUCKET
    known = {"aws:resourceaccount": resource.account}
    guarded = Guarded(
        policy=policy,
        actions=_on_bucket(policy) if bucket else ASSUMING,
        known={**known, "s3:resourceaccount": resource.account} if bucket else known,
        resource_control=control,
    )
    return outside_access(guarded, zone.accounts, zone.organization)


def _on_bucket(policy: CompiledPolicy) -> frozenset[str]:
    """What there is to do with a bucket, and what its policy spells out though nothing here offers it."""
    known = {name.lower() for name in _OF_BUCKETS}
    spelt = (action for one in policy.document.statements for action in one.actions or ())
    return _OF_BUCKETS | {
        action
        for action in spelt
        if action.lower().startswith("s3:") and action.lower() not in known and not {"*", "?"} & set(action)
    }


def _compiled(resource: Analyzed) -> CompiledPolicy:
    return compile_policy(parse(resource.policy), "", dict(resource.bound))


def _shown(entry: str) -> str:
    """The principal as findings show it: an account by its id."""
    return account_of(entry) or entry


def _joined(ways: Iterable[Opening]) -> Iterator[Opening]:
    """One for each principal and condition, with all that its statements and grants let it do."""
    groups: dict[tuple[str, str, tuple[Condition, ...]], list[Opening]] = {}
    for way in ways:
        conditions = tuple(
            sorted(way.conditions, key=lambda one: (one.key.lower(), one.operator, one.values))
        )
        groups.setdefault((way.kind, _shown(way.principal), conditions), []).append(way)
    for (_, principal, conditions), held in groups.items():
        yield msgspec.structs.replace(
            held[0],
            principal=principal,
            conditions=conditions,
            actions=tuple(sorted({action for way in held for action in way.actions})),
            public=any(way.public for way in held),
        )
