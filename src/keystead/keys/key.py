"""The KMS key: a frozen value that a change replaces whole.

Times are epoch seconds. Of key material it knows the ids, and no bytes but wrapped ones.
"""

from __future__ import annotations

import sys

import msgspec

from keystead import arn
from keystead.crypto.ciphertext import Header, encode_header
from keystead.keys.derived import Derived
from keystead.keys.spec import KEY_SPECS, KeySpec

CURRENT = "CURRENT"
NON_CURRENT = "NON_CURRENT"
PENDING_ROTATION = "PENDING_ROTATION"
PENDING_MULTI_REGION = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"

IMPORTED = "IMPORTED"
PENDING_IMPORT = "PENDING_IMPORT"

EXPIRES = "KEY_MATERIAL_EXPIRES"
DOES_NOT_EXPIRE = "KEY_MATERIAL_DOES_NOT_EXPIRE"

AWS_KMS = "AWS_KMS"
EXTERNAL = "EXTERNAL"
AWS_CLOUDHSM = "AWS_CLOUDHSM"
EXTERNAL_KEY_STORE = "EXTERNAL_KEY_STORE"

PRIMARY = "PRIMARY"
REPLICA = "REPLICA"

CUSTOMER = "CUSTOMER"
AWS = "AWS"
"""Who manages a key: its account, or a service on its behalf."""


class Material(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a key's material, by its id (64 hex digits)."""

    id: str
    state: str = CURRENT
    rotation_type: str | None = None
    rotation_date: float | None = None
    import_state: str | None = None
    """IMPORTED or PENDING_IMPORT for imported material, None for material made here."""
    expiration_model: str | None = None
    valid_to: float | None = None
    description: str | None = None
    in_progress: bool = False
    """A rotation on demand to this material whose service event is still to be recorded."""

    @property
    def present(self) -> bool:
        """True while the material's bytes are stored."""
        return self.import_state != PENDING_IMPORT


class MultiRegion(msgspec.Struct, frozen=True, kw_only=True):
    """A multi-Region key's place among its relatives; every relative stores the same set."""

    role: str
    primary: str
    replicas: tuple[str, ...] = ()


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """Automatic rotation as enabled: its period in days and the next due time."""

    period_days: int
    next_date: float


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A KMS key in one account and Region; what follows from its fields is worked out once.

    `principals` binds the users and roles that the policy names to their unique ids when it was put.
    """

    account: str
    region: str
    id: str
    spec: str
    usage: str
    origin: str
    state: str
    created: float
    policy: str
    description: str = ""
    tags: dict[str, str] = {}
    materials: tuple[Material, ...] = ()
    """Oldest first; at most one is CURRENT."""
    multi_region: MultiRegion | None = None
    rotation: Rotation | None = None
    on_demand_rotations: int = 0
    deletion_date: float | None = None
    pending_window_days: int | None = None
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None
    principals: tuple[tuple[str, str], ...] = ()
    manager: str = CUSTOMER
    backing: tuple[str, bytes] | None = None
    """The newest material that was made here, if it is short: its id, and its bytes as the key ring wraps them.

    One read finds both key and material, and the material goes with the key. What is imported is destroyed alone, and has a
    record of its own, as older and longer material has.
    """

    def __repr__(self) -> str:
        """Without what is wrapped."""
        return f"Key({self.arn}, state={self.state})"

    def __post_init__(self) -> None:
        """Many keys have the same policy: it is kept once, and compared and found by its address."""
        msgspec.structs.force_setattr(self, "policy", sys.intern(self.policy))

    @Derived
    def arn(self) -> str:
        """The key ARN."""
        return arn.key_arn(self.region, self.account, self.id)

    @Derived
    def path(self) -> tuple[str, str, str]:
        """The parts of the key's place in every table: account, Region, key id."""
        return (self.account, self.region, self.id)

    @Derived
    def place(self) -> str:
        """The same as one text."""
        return f"{self.account}/{self.region}/{self.id}"

    @Derived
    def key_spec(self) -> KeySpec:
        """The row of the key's spec."""
        return KEY_SPECS[self.spec]

    @Derived
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that the key offers for its usage."""
        return KEY_SPECS[self.spec].algorithms[self.usage]

    @Derived
    def current(self) -> Material | None:
        """The material that new ciphertexts use; None before the first import."""
        for material in reversed(self.materials):
            if material.state == CURRENT:
                return material
        return None

    @property
    def pending(self) -> Material | None:
        """Imported material that waits for a rotation; None if there is none."""
        for material in self.materials:
            if material.state in {PENDING_ROTATION, PENDING_MULTI_REGION}:
                return material
        return None

    @Derived
    def current_id(self) -> str | None:
        """The id of the material that new ciphertexts use; None before the first import."""
        return None if self.current is None else self.current.id

    def material(self, material_id: str) -> Material | None:
        """The material with that id, None if the key never had it."""
        return self._by_id.get(material_id)

    @Derived
    def _by_id(self) -> dict[str, Material]:
        return {material.id: material for material in reversed(self.materials)}  # of two the older one

    @Derived
    def header(self) -> bytes | None:
        """How ciphertext blobs begin that the current material makes; None of keys that make none, or have none."""
        current = self.current
        encrypts = KEY_SPECS[self.spec].is_encryption_key
        return self._header(current) if encrypts and current is not None else None

    @Derived
    def makers(self) -> dict[bytes, Material]:
        """The materials by how ciphertext blobs begin that they made; of symmetric encryption keys."""
        return {self._header(material): material for material in reversed(self.materials)}  # as above

    def _header(self, material: Material) -> bytes:
        return encode_header(Header(self.account, self.id, material.id))

    def wrapped(self, material_id: str) -> bytes | None:
        """That material as the key ring wraps it; None if it has a record of its own."""
        return self.backing[1] if self.backing is not None and self.backing[0] == material_id else None

    def with_material(self, changed: Material) -> Key:
        """This key with the material of the same id replaced."""
        return msgspec.structs.replace(
            self, materials=tuple(changed if m.id == changed.id else m for m in self.materials)
        )
