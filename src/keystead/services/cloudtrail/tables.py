"""What the service stores: trails, how far each has delivered, and the keys that sign digests."""

from __future__ import annotations

import msgspec

from keystead.arn import split
from keystead.audit.follow import Cursor
from keystead.storage import Table, Transaction


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """Which events a trail delivers: those of management, but of `excluded` sources, and those of `objects`.

    `objects` are what ARNs of objects begin with; of management are none if `management` is false.
    """

    read_write: str = "All"
    management: bool = True
    excluded: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """A trail as its owner made it; times are epoch seconds. `read_write` and `excluded` count without `selectors`.

    `periods` are when it logged: start and end, 0 while it goes on; those that were delivered go at the next start.
    """

    account: str
    region: str
    name: str
    bucket: str
    prefix: str = ""
    multi_region: bool = False
    global_events: bool = True
    validation: bool = False
    read_write: str = "All"
    excluded: tuple[str, ...] = ()
    custom_selectors: bool = False
    selectors: tuple[Selector, ...] = ()
    tags: dict[str, str] = {}
    periods: tuple[tuple[float, float], ...] = ()
    started: float = 0.0
    stopped: float = 0.0

    @property
    def place(self) -> str:
        """The key of its record."""
        return f"{self.account}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return trail_arn(self.account, self.region, self.name)

    @property
    def selected(self) -> tuple[Selector, ...]:
        """Its selectors: an event that any of them selects is delivered."""
        return self.selectors or (Selector(read_write=self.read_write, excluded=self.excluded),)

    @property
    def logging(self) -> bool:
        """Whether it logs now."""
        return bool(self.periods) and not self.periods[-1][1]


class LogFile(msgspec.Struct, frozen=True):
    """A delivered log file that no digest lists yet; `digest` is the SHA-256 of its content, times are texts."""

    key: str
    bucket: str
    digest: str
    oldest: str
    newest: str


class Chain(msgspec.Struct, frozen=True):
    """The newest digest of a Region, which the next one names; empty texts before the first."""

    end: float
    bucket: str = ""
    key: str = ""
    digest: str = ""
    signature: str = ""


class Outgoing(msgspec.Struct, frozen=True):
    """A digest that is made and may not have been taken yet: it is put again as it is."""

    bucket: str
    key: str
    body: bytes
    signature: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How far a trail has delivered, by worker and by Region; periods that ended up to `done` are delivered."""

    cursors: dict[str, Cursor] = {}
    pending: dict[str, tuple[LogFile, ...]] = {}
    chains: dict[str, Chain] = {}
    outgoing: dict[str, Outgoing] = {}
    delivered: float = 0.0
    digested: float = 0.0
    attempted: float = 0.0
    done: float = 0.0
    error: str = ""
    digest_error: str = ""


class SigningKey(msgspec.Struct, frozen=True):
    """An RSA key that signs digests: sealed by the key ring, and its public half (PKCS #1)."""

    fingerprint: str
    sealed: bytes
    public: bytes
    begins: float
    ends: float


TRAILS: Table[Trail] = Table("trail", Trail)
"""account/region/name"""

DELIVERIES: Table[Delivery] = Table("trail_delivery", Delivery, evident=False)
"""the trail's place"""

SIGNING_KEYS: Table[SigningKey] = Table("trail_key", SigningKey, evident=False)
"""account/begin in seconds (12 digits)"""


def is_trail(tx: Transaction, arn: str) -> bool:
    """Whether there is a trail with this ARN."""
    parts = split(arn)
    kind, _, name = ("", "", "") if parts is None else parts.resource.partition("/")
    if parts is None or kind != "trail" or "\0" in arn:
        return False
    return tx.get(TRAILS, f"{parts.account}/{parts.region}/{name}") is not None


def trail_arn(account: str, region: str, name: str) -> str:
    """The ARN of a trail."""
    return f"arn:aws:cloudtrail:{region}:{account}:trail/{name}"
