"""Key material: made, taken in, lent as abilities, destroyed.

Each version of a key's material is wrapped here, bound to the key's account, Region, id and the material's id, and
sealed by the store like everything: as a record of its own, or in the key's record, where whoever reads that has it.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

from keystead import errors
from keystead.crypto.aead import Aead
from keystead.crypto.derive import subkey
from keystead.crypto.spec import KEY_TYPES
from keystead.entropy import Entropy
from keystead.storage import Store, Table, Transaction

SALT = 32
_MOST_LOADED = 16_384

Path = tuple[str, str, str]
"""Account, Region, key id."""


class Backing(msgspec.Struct, frozen=True):
    """One stored version of key material, wrapped."""

    wrapped: bytes


class KeyringRoot(msgspec.Struct, frozen=True):
    """The secret that every key of the key ring derives from; made once, sealed by the store."""

    secret: bytes

    def __repr__(self) -> str:
        return "KeyringRoot()"


class Scrub(msgspec.Struct, frozen=True):
    """Material was destroyed and the store's files have not been rewritten since."""


SCRUBS: Table[Scrub] = Table("scrub", Scrub, evident=False)  # a note of work to do
PENDING = "pending"
MATERIALS: Table[Backing] = Table("material", Backing)
ROOTS: Table[KeyringRoot] = Table(
    "keyring_root", KeyringRoot, evident=False
)  # made once, by no call; with another one no key material opens
_ROOT_KEY = "1"


class Keyring:
    """Makes, lends and destroys key material. Safe to use from several threads."""

    def __init__(self, root: bytes, entropy: Entropy) -> None:
        self._wrapping = Aead(subkey(root, "keyring wrapping"))
        self._naming = subkey(root, "keyring material id")
        self._tokens = Aead(subkey(root, "keyring tokens"))
        self._entropy = entropy
        self._loaded: dict[tuple[Path, str], Any] = {}
        self.loaded = self._loaded.get
        """The ability by its key's path and its material's id, for who could have it lent by `lend_named`; None if it is not at
        hand."""

    def __repr__(self) -> str:
        return "Keyring()"

    @classmethod
    def open(cls, store: Store, entropy: Entropy) -> Keyring:
        """The key ring of a store, made at the first start.

        Raises:
            errors.StorageError: the store cannot be read or written.
        """
        tx = store.transaction()
        root = tx.get(ROOTS, _ROOT_KEY)
        if root is None:
            root = KeyringRoot(entropy.random(32))
            tx.insert(ROOTS, _ROOT_KEY, root)
            (conflict,) = store.commit([tx])
            if conflict is not None:  # another process was first: take what it made
                return cls.open(store, entropy)
        return cls(root.secret, entropy)

    # ------------------------------------------------------------------- material

    def generate(self, tx: Transaction, path: Path, spec: str) -> str:
        """The id of fresh material of `spec` for the key at `path`, stored by `tx`."""
        material_id, wrapped = self.make(path, spec)
        self.keep(tx, path, material_id, wrapped)
        return material_id

    def make(self, path: Path, spec: str) -> tuple[str, bytes]:
        """The id of fresh material of `spec` for the key at `path`, and the material wrapped, which the caller stores."""
        return self._wrap(path, spec, KEY_TYPES[spec].generate())

    def keep(self, tx: Transaction, path: Path, material_id: str, wrapped: bytes) -> None:
        """None; material that was wrapped for the key at `path` is stored by `tx`."""
        tx.put(MATERIALS, _place(path, material_id), Backing(wrapped))

    def adopt(self, tx: Transaction, path: Path, spec: str, material: bytes) -> str:
        """The id of imported `material`, stored by `tx`: as the check of its spec gave it, which is not made here again."""
        material_id, wrapped = self._wrap(path, spec, material)
        self.keep(tx, path, material_id, wrapped)
        return material_id

    def identify(self, path: Path, material: bytes) -> str:
        """The id (64 hex digits) that `material` has in the key at `path`, keyed so that it tells nothing."""
        return hmac.digest(self._naming, path[2].encode() + b"\0" + material, "sha256").hex()

    def lend(self, tx: Transaction, path: Path, spec: str, material_id: str) -> Any:
        """The ability of that material: an Aead, or the key object of its family.

        Raises:
            errors.KeyUnavailable: the material is not stored (destroyed, expired, never imported).
        """
        backing = tx.get(MATERIALS, _place(path, material_id))
        if backing is None:
            self._loaded.pop((path, material_id), None)
            raise errors.KeyUnavailable("The key material is not available.")
        # An id belongs to one material for ever, so what was loaded is what is stored.
        loaded = self.loaded((path, material_id))
        if loaded is not None:
            return loaded
        return self._load(path, spec, material_id, self._unwrap(backing.wrapped, path, spec, material_id))

    def lend_named(
        self, tx: Transaction, path: Path, spec: str, material_id: str, wrapped: bytes | None
    ) -> Any:
        """The same for who holds the key's newest record, and found the material named there as present.

        `wrapped` is the material if that record has it. If not, the record stands for what the store would have to prove
        otherwise, that the material was not destroyed, and which bytes it is its id says: its row need not be proved as
        well, which is the most of reading it.

        Raises:
            errors.KeyUnavailable: the material is not stored.
        """
        loaded = self.loaded((path, material_id))
        if loaded is not None:
            return loaded
        if wrapped is not None:
            return self._load(path, spec, material_id, self._unwrap(wrapped, path, spec, material_id))
        backing = tx.unproved(MATERIALS, _place(path, material_id))
        material = self._named(backing, path, spec, material_id)
        if material is None:
            return self.lend(tx, path, spec, material_id)  # it knows what is wrong
        return self._load(path, spec, material_id, material)

    def copy(
        self,
        tx: Transaction,
        source: Path,
        destination: Path,
        spec: str,
        material_id: str,
        wrapped: bytes | None = None,
    ) -> None:
        """Store the material of a multi-Region key under a related key, wrapped for its new place.

        `wrapped` is the material if the source's own record has it.

        Raises:
            errors.KeyUnavailable: the source has no such material.
        """
        if wrapped is None:
            backing = tx.get(MATERIALS, _place(source, material_id))
            if backing is None:
                raise errors.KeyUnavailable("The key material is not available.")
            wrapped = backing.wrapped
        copied, rewrapped = self._wrap(destination, spec, self._unwrap(wrapped, source, spec, material_id))
        self.keep(tx, destination, copied, rewrapped)

    def destroy(self, tx: Transaction, path: Path, material_id: str) -> None:
        """Delete the material's record; its bytes leave the store with the next scrub."""
        tx.delete(MATERIALS, _place(path, material_id))
        tx.put(SCRUBS, PENDING, Scrub())
        self._loaded.pop((path, material_id), None)

    def forget(self) -> None:
        """Drop every loaded ability, for a server that is being sealed."""
        self._loaded.clear()

    # --------------------------------------------------------------------- tokens

    def seal_token(self, kind: str, payload: bytes, context: str = "") -> bytes:
        """`payload` sealed for `kind` (grant token, marker, import token) and `context`."""
        return self._tokens.seal(payload, _token_aad(kind, context), self._entropy.random(SALT))

    def open_token(self, kind: str, token: bytes, context: str = "") -> bytes:
        """The payload of a token of ours.

        Raises:
            errors.DecryptionFailed: it is not a token of that kind and context.
        """
        return self._tokens.open(token, _token_aad(kind, context))

    # -------------------------------------------------------------------- private

    def _wrap(self, path: Path, spec: str, material: bytes) -> tuple[str, bytes]:
        material_id = self.identify(path, material)
        aad = _aad(path, spec, material_id)
        return material_id, self._wrapping.seal(material, aad, self._entropy.random(SALT))

    def _load(self, path: Path, spec: str, material_id: str, material: bytes) -> Any:
        ability = KEY_TYPES[spec].load(material)
        if len(self._loaded) >= _MOST_LOADED:
            self._loaded.pop(next(iter(self._loaded)), None)
        self._loaded[path, material_id] = ability
        return ability

    def _named(self, backing: Backing | None, path: Path, spec: str, material_id: str) -> bytes | None:
        """The material in `backing`, None unless it is the one with that id."""
        if backing is None:
            return None
        try:
            material = self._unwrap(backing.wrapped, path, spec, material_id)
        except errors.StorageTampered:
            return None
        return material if hmac.compare_digest(self.identify(path, material), material_id) else None

    def _unwrap(self, wrapped: bytes, path: Path, spec: str, material_id: str) -> bytes:
        try:
            return self._wrapping.open(wrapped, _aad(path, spec, material_id))
        except errors.DecryptionFailed:
            raise errors.StorageTampered(f"key material of {'/'.join(path)} is damaged") from None


def _place(path: Path, material_id: str) -> str:
    return "/".join((*path, material_id))


def _aad(path: Path, spec: str, material_id: str) -> bytes:
    return "\0".join(("material", *path, spec, material_id)).encode()


def _token_aad(kind: str, context: str) -> bytes:
    return f"token\0{kind}\0{context}".encode()
