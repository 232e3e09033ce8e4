"""The log's own secrets: its signing key and its salt key, made once and kept sealed in the store."""

from __future__ import annotations

import msgspec

from keystead.audit.logkeys import LogKeys
from keystead.entropy import Entropy, new_uuid
from keystead.errors import LogError, SettingsError
from keystead.storage.store import Store
from keystead.storage.table import Table
from keystead.storage.transaction import Transaction
from keystead.tlog.checkpoint import check_name

_SEED_BYTES = 32
_KEY = "1"


LOG_KEYS: Table[LogKeys] = Table("log_keys", LogKeys, evident=False)  # made once; another key is another log


def known_log_keys(store: Store) -> LogKeys | None:
    """The deployment's, None if no server has run on it yet.

    Raises:
        errors.StorageError: the store cannot be read.
    """
    return store.transaction().get(LOG_KEYS, _KEY)


def open_log_keys(store: Store, entropy: Entropy) -> LogKeys:
    """The deployment's, made the first time.

    Raises:
        errors.StorageError: the store cannot be read or written.
    """
    tx = store.transaction()
    keys = tx.get(LOG_KEYS, _KEY)
    if keys is not None:
        return keys
    made = _new_keys(entropy)
    tx.insert(LOG_KEYS, _KEY, made)
    (conflict,) = store.commit([tx])
    return made if conflict is None else open_log_keys(store, entropy)  # another process was first


def _new_keys(entropy: Entropy) -> LogKeys:
    return LogKeys(new_uuid(entropy), entropy.random(_SEED_BYTES), entropy.random(_SEED_BYTES))


def remember_begun(store: Store) -> None:
    """Nothing; from now on the store knows that there is a log, so that no server begins another if it is gone.

    Raises:
        errors.StorageError: the store cannot be read or written.
    """

    def note(tx: Transaction) -> None:
        keys = tx.get(LOG_KEYS, _KEY)
        if keys is not None and not keys.begun:
            tx.put(LOG_KEYS, _KEY, msgspec.structs.replace(keys, begun=True))

    store.run(note)


def renew_log_keys(tx: Transaction, entropy: Entropy) -> None:
    """Nothing; once committed the deployment has another log, by another key: none that was seen before is forked."""
    tx.put(LOG_KEYS, _KEY, msgspec.structs.replace(_new_keys(entropy), anew=True))


def name_log(store: Store, keys: LogKeys, name: str | None, *, begun: bool) -> LogKeys:
    """The deployment's, under the name that is set. `begun` says that the log has signed under the name it has.

    Raises:
        SettingsError: `name` cannot be a log's name, or the log has another for good.
        errors.StorageError: the store cannot be written.
    """
    if name is None or name == keys.origin(None):
        return keys
    if begun:
        raise SettingsError(f"log_origin: the log is called {keys.origin(None)} for good")
    try:
        check_name(name)
    except LogError as error:
        raise SettingsError(f"log_origin: {error}") from None

    def rename(tx: Transaction) -> LogKeys:
        # Read anew: another worker may have named it, and its log begun, meanwhile.
        named = msgspec.structs.replace(tx.get(LOG_KEYS, _KEY) or keys, name=name)
        tx.put(LOG_KEYS, _KEY, named)
        return named

    return store.run(rename)
