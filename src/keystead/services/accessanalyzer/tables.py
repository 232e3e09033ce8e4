"""What the service stores: analyzers with their archive rules, what they found, and what they looked at."""

from __future__ import annotations

import msgspec

from keystead.storage import Table


class Criterion(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a filter asks of one key; None asks nothing."""

    eq: tuple[str, ...] | None = None
    neq: tuple[str, ...] | None = None
    contains: tuple[str, ...] | None = None
    exists: bool | None = None


class ArchiveRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which new findings are archived at once; times are epoch seconds."""

    name: str
    filter: dict[str, Criterion]
    created: float
    updated: float


class Spared(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Accounts whose users and roles are not looked at; with `tags` only those that have one of these sets of tags."""

    accounts: tuple[str, ...]
    tags: tuple[dict[str, str], ...] = ()


class Inclusion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Resources that an analyzer of internal access looks at: of all that are given, one must hold of each; none asks nothing."""

    accounts: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    arns: tuple[str, ...] = ()


class Analyzer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An analyzer as its owner made it; `id` tells it from another that had its name before."""

    account: str
    region: str
    name: str
    id: str
    type: str
    created: float
    tags: dict[str, str] = {}
    rules: tuple[ArchiveRule, ...] = ()
    age: int = 0
    """Days after which access counts as unused; 0 of an analyzer of access from outside."""
    exclusions: tuple[dict[str, str], ...] = ()
    """Tags of users and roles that are not looked at."""
    spared: tuple[Spared, ...] = ()
    """Accounts of an organization of which some users and roles, or all, are not looked at."""
    inclusions: tuple[Inclusion, ...] = ()
    """What an analyzer of internal access looks at; without any at all that it can."""

    @property
    def place(self) -> str:
        """The key of its record, and what the keys of its findings begin with."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return analyzer_arn(self.account, self.region, self.name)


class Unused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Permissions of one service that nobody made use of, or an access key; times are epoch seconds, 0 for never.

    `actions` are told where the service was used and these were not.
    """

    service: str = ""
    access_key: str = ""
    last: float = 0.0
    actions: dict[str, float] = {}


class Insider(msgspec.Struct, frozen=True, kw_only=True):
    """Who has access from inside: `kind` is IAM_USER or IAM_ROLE, `access` INTRA_ACCOUNT or INTRA_ORG.

    `restriction` says what SCPs of the insider's account have to do with it.
    """

    account: str
    kind: str
    access: str
    restriction: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Access from outside to one resource: of one principal, under one condition.

    `condition` has the values by key, as answers show them. `error` is set where the resource could not be analyzed, and
    then there is no principal. `restriction` says what RCPs of the resource's organization have to do with it.
    """

    id: str
    resource: str
    resource_type: str
    owner: str
    created: float
    analyzed: float
    updated: float
    status: str = "ACTIVE"
    type: str = "ExternalAccess"
    principal: dict[str, str] = {}
    actions: tuple[str, ...] = ()
    condition: dict[str, str] = {}
    public: bool = False
    error: str = ""
    sources: tuple[str, ...] = ()
    restriction: str = "NOT_APPLICABLE"
    unused: tuple[Unused, ...] = ()
    """What is not used, of findings of that."""
    insider: Insider | None = None
    """Who has it, of findings of internal access."""


class Looked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resource that was analyzed; `digest` is of all that the answer depends on."""

    resource: str
    type: str
    owner: str
    digest: bytes
    created: float
    analyzed: float
    updated: float
    error: str = ""


class Step(msgspec.Struct, frozen=True):
    """What to do about one policy: put `policy` in the place of the one with this name or ARN, or only detach that."""

    existing: str
    policy: str = ""


class Recommendation(msgspec.Struct, frozen=True):
    """What to do about a finding of unused permissions, and when that was asked; epoch seconds."""

    asked: float
    resource: str
    steps: tuple[Step, ...]
    error: str = ""


class Foreseen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding of a preview: what would be, its status then, and the finding that there is, if there is one."""

    finding: Finding
    status: str
    change: str
    existing: str = ""
    existing_status: str = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An access preview; `configurations` as they came, in JSON."""

    id: str
    created: float
    configurations: bytes
    status: str
    foreseen: tuple[Foreseen, ...] = ()


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What of the log a policy is made of; epoch seconds. `regions` and `everywhere` are of each trail."""

    role: str
    since: float
    until: float
    trails: tuple[str, ...]
    regions: tuple[tuple[str, ...], ...]
    everywhere: tuple[bool, ...]


class Generation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A policy that was made of what `principal` did; `template` also names services as a whole. Or why there is none."""

    id: str
    principal: str
    started: float
    completed: float
    status: str
    token: str = ""
    reviewed: Reviewed | None = None
    policy: str = ""
    template: str = ""
    complete: bool = False
    code: str = ""
    message: str = ""


def _resource_of(where: str, finding: Finding) -> list[str]:
    return [f"{where.rpartition('/')[0]}/{finding.resource}"]


FINDINGS: Table[Finding] = Table(
    "analyzer_finding", Finding, indexes={"resource": _resource_of}, evident=False
)  # worked out of records that are evident; what a caller changes of one has its event
"""account/region/analyzer/finding id; index `resource`: account/region/analyzer/ARN"""

LOOKED: Table[Looked] = Table("analyzer_resource", Looked, evident=False)  # as above
"""account/region/analyzer/ARN"""

PREVIEWS: Table[Preview] = Table(
    "analyzer_preview", Preview, evident=False
)  # it decides nothing, and goes by itself
"""account/region/analyzer/preview id"""

RECOMMENDATIONS: Table[Recommendation] = Table(
    "analyzer_advice", Recommendation, evident=False
)  # it decides nothing
"""account/region/analyzer/finding id"""

GENERATIONS: Table[Generation] = Table("analyzer_policy", Generation, evident=False)  # it decides nothing
"""account/region/job id"""

ANALYZERS: Table[Analyzer] = Table("analyzer", Analyzer)
"""account/region/name"""


def analyzer_arn(account: str, region: str, name: str) -> str:
    """The ARN of an analyzer."""
    return f"arn:aws:access-analyzer:{region}:{account}:analyzer/{name}"
