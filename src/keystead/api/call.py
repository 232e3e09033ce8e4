"""What an operation is given: the call, and the targets it acts on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from keystead.crypto.attestation import Attestation
from keystead.entropy import Entropy
from keystead.identity import Caller
from keystead.keyring import Keyring
from keystead.keys import Key
from keystead.keys.grant import Grant
from keystead.policy import CompiledPolicy
from keystead.storage import Transaction

if TYPE_CHECKING:
    from keystead.api.analyzed import Sources
    from keystead.api.attestation import AttestationTrust
    from keystead.api.decisions import Decisions
    from keystead.api.guarding import Watch
    from keystead.api.holdings import Holdings
    from keystead.api.limits import Quotas
    from keystead.api.objectstore import ObjectStore
    from keystead.api.rest import Exchange
    from keystead.api.standing import Standing, Standings
    from keystead.api.trails import Trails
    from keystead.api.usage import UsageTracker


class Relations(Protocol):
    """Keys, and what belongs to a key but is stored beside it; looked up only when a decision depends on it."""

    def grants(self, tx: Transaction, key: Key) -> tuple[Grant, ...]:
        """Every grant on the key; the same tuple as long as none of them is made, changed or ended."""
        ...

    def aliases(self, tx: Transaction, key: Key) -> tuple[str, ...]:
        """The names of every alias of the key."""
        ...

    def key(self, tx: Transaction, key_arn: str) -> Key | None:
        """The key with this ARN, None if there is none: for services that know no keys themselves."""
        ...

    def keys(self, tx: Transaction, account: str) -> Iterable[Key]:
        """Every key of the account that it manages itself, in all Regions."""
        ...

    def named(self, tx: Transaction, account: str, region: str, key_id: str) -> Key | None:
        """The key that a KeyId names for a caller there: an id, an alias, or the ARN of either; None if there is none.

        Raises:
            errors.NotFound: it is no identifier, or an ARN of another Region.
            errors.InvalidArn: it is the ARN of something else.
        """
        ...

    def page(self, tx: Transaction, account: str, region: str, after: str, most: int) -> list[Key]:
        """Keys of the account in the Region, whoever manages them, in the order of their ids, that come after one."""
        ...


class Perform(Protocol):
    """How a service calls another one in this process; see `api.client`."""

    def __call__(self, call: Call, service: str, request: Any, settled: Callable[..., None], /) -> None:
        """Have `settled` told the answer, or the error, once the call is recorded."""
        ...


class Via(msgspec.Struct, frozen=True, gc=False):
    """The services through which a request came: set by the server, never by the caller.

    `services` are principals (`s3.amazonaws.com`) in the order in which they called each other; `region` is
    where the last one was called; `source_arn` and `source_account` name the resource on whose behalf it
    calls, empty if none.
    """

    services: tuple[str, ...]
    region: str
    source_arn: str = ""
    source_account: str = ""


class Around(msgspec.Struct, frozen=True):
    """What is the same for all calls of a server."""

    keyring: Keyring
    entropy: Entropy
    quotas: Quotas
    usage: UsageTracker
    relations: Relations
    attestation: AttestationTrust
    standings: Standings
    perform: Perform
    decisions: Decisions
    trails: Trails
    objects: ObjectStore | None = None
    """Where objects' bytes are kept; None for calls to services that keep none."""
    analyzed: Sources = ()
    """What there is for an analyzer to look at."""
    holdings: tuple[Holdings, ...] = ()
    """What services hold under keys."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request of one caller, authenticated. Times are epoch seconds.

    `standing` is the caller with its policies; `standings` finds what binds other accounts. `via` is set
    where a service makes the request with the caller's permissions. `proof` is what an unsigned request has
    proved (see `api.unsigned`).
    """

    operation: str
    caller: Caller
    account: str
    """The account that the caller belongs to."""
    standing: Standing
    region: str
    now: float
    request_id: str
    event_id: str
    source_ip: str
    user_agent: str
    secure: bool
    tx: Transaction
    keyring: Keyring
    entropy: Entropy
    around: Around
    """What most calls do not ask for is found there, by the properties below."""
    via: Via | None = None
    proof: Any = None
    tls: tuple[str, str, str] | None = None
    """Version, cipher suite and Host header of the connection, None if it is not encrypted."""
    exchange: Exchange | None = None
    """What a request to S3 brings, and its answer takes, besides the structs."""
    overrides: str = ""
    """The token with which the caller overrides its account's guard (see `api.guarding`)."""

    @property
    def quotas(self) -> Quotas:
        return self.around.quotas

    @property
    def usage(self) -> UsageTracker:
        return self.around.usage

    @property
    def relations(self) -> Relations:
        return self.around.relations

    @property
    def attestation(self) -> AttestationTrust:
        return self.around.attestation

    @property
    def standings(self) -> Standings:
        return self.around.standings

    @property
    def perform(self) -> Perform:
        return self.around.perform

    @property
    def decisions(self) -> Decisions:
        return self.around.decisions

    @property
    def trails(self) -> Trails:
        return self.around.trails

    @property
    def objects(self) -> ObjectStore | None:
        return self.around.objects

    @property
    def analyzed(self) -> Sources:
        return self.around.analyzed

    @property
    def holdings(self) -> tuple[Holdings, ...]:
        return self.around.holdings


class Target(msgspec.Struct, frozen=True, gc=False):
    """One thing that a call acts on, and the permission that takes.

    `action` is the IAM action (`kms:ReEncryptFrom`); `resource` an ARN, or `*` where the action has
    no resource type; `account` owns the resource. `key` is set when the resource is a key. `alias` is
    the alias name by which the request named it.
    """

    action: str
    resource: str
    account: str
    key: Key | None = None
    alias: str | None = None
    context: Mapping[str, str] | None = None
    """The encryption context that this permission is checked against."""
    facts: Mapping[str, str | list[str]] | None = None
    """Condition keys that only the operation knows, by full name."""
    from_ciphertext: bool = False
    """The key was found in the ciphertext, not named: denials say so."""
    grant: Grant | None = None
    """The grant that the call is to make or to retire."""
    attestation: Attestation | None = None
    """What the caller's machine is, by a document that was verified."""
    trust: CompiledPolicy | None = None
    """The policy of a resource that is no key and decides as a key's does, e.g. a role's trust policy."""
    policy: CompiledPolicy | None = None
    """The policy of a resource that allows beside the caller's own policies, e.g. a bucket's."""
    kind: str | None = None
    """What events call the resource's type, if they name it and nothing above tells."""
    guard: Watch | None = None
    """What the account's guard looks at in the call, and then what it says of it."""

    @property
    def found(self) -> Key:
        """The key; only for targets whose resource is a key."""
        assert self.key is not None
        return self.key
