"""What keeps a store in good order while it is used: epochs, the root key, and the full check."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from keystead.errors import StorageTampered
from keystead.storage.backend import digest
from keystead.storage.barrier import Barrier, RootSeal, describe
from keystead.storage.group import Group
from keystead.storage.tree import INDEX_ENTRY, Chunk, Nodes
from keystead.storage.view import EPOCHS, State

if TYPE_CHECKING:
    from keystead.storage.store import Store

_ROWS, _ROWS_END = b"r", b"s"
_STRANGERS = 100  # as many added rows are named per leaf


class Verification(msgspec.Struct, frozen=True):
    """How much was checked, and one line for each thing that is not as Keystead left it."""

    records: int
    index_entries: int
    findings: tuple[str, ...]


def rotate(store: Store) -> int:
    """The number of the new epoch; see `Store.rotate_barrier`."""

    def build(state: State) -> tuple[Group, int]:
        barrier = _listed(store, state).rotated()
        return _with_barrier(store, state, barrier, store.root_seal), barrier.current

    return store.write(build)


def rekey(store: Store, root_seal: RootSeal) -> None:
    """None; see `Store.rekey`."""

    def build(state: State) -> tuple[Group, None]:
        return _with_barrier(store, state, _listed(store, state), root_seal), None

    store.write(build)
    store.root_seal = root_seal
    store.view.root_seal = root_seal


def reseal(store: Store, limit: int) -> bool:
    """Whether nothing is left to do; see `Store.reseal`."""
    if store.view.fresh().barrier.alone:
        return True
    epoch, position = store.write(lambda state: _resealed(store, state, limit))
    if position is not None:
        store.reseal_position = epoch, position
        return False
    return store.write(lambda state: _dropped(store, state, epoch))


def _resealed(store: Store, state: State, limit: int) -> tuple[Group, tuple[int, bytes | None]]:
    """A group that re-seals the next leaves, and the epoch and place at which to go on (None: the end).

    A walk belongs to one epoch: if somebody rotated since it began, it begins again.
    """
    epoch, start = store.reseal_position
    position: bytes | None = start if epoch == state.barrier.current else b""
    group, done = store.group(state), 0
    while position is not None and done < limit:
        chunk = store.nodes.chunk(state.root, position, state.barrier)
        _reseal_chunk(store, state, group, chunk)
        done += len(chunk.keys)
        position = chunk.end
    return group, (state.barrier.current, position)


def _reseal_chunk(store: Store, state: State, group: Group, chunk: Chunk) -> None:
    if chunk.keys:
        # The leaf itself, and with it every branch above it, may still be under an old epoch.
        group.touch(chunk.keys[0], chunk.values[0])
    for place, version in zip(chunk.keys, chunk.values, strict=True):
        if version == INDEX_ENTRY:
            continue
        sealed = store.backend.get(place)
        if sealed is None or digest(sealed) != version:
            raise StorageTampered(f"{describe(place)}: not what Keystead wrote there")
        if not state.barrier.is_current(sealed):
            group.reseal(place, state.barrier.open(place, sealed))


def _dropped(store: Store, state: State, epoch: int) -> tuple[Group, bool]:
    """A group that drops all epochs but `epoch`, and whether it does: not if somebody rotated."""
    if state.barrier.current != epoch:
        return store.group(state), False
    # Every leaf was written under `epoch` since it began, and whoever wrote later used it too: a commit
    # is conditioned on the head, so nobody commits who has not seen the rotation.
    return _with_barrier(store, state, _listed(store, state).only_current(), store.root_seal), True


def _with_barrier(store: Store, state: State, barrier: Barrier, root_seal: RootSeal) -> Group:
    group = store.group(state, barrier)
    group.write(EPOCHS, root_seal.seal(barrier, store.entropy))
    return group


def _listed(store: Store, state: State) -> Barrier:
    """The list of epochs as it is stored: another process may have dropped some that are known here.

    Raises:
        StorageError: the root key is no longer the one that opens it.
        StorageTampered: it is not the list that belongs to `state`.
    """
    barrier = store.view.barrier()
    if not barrier.seals_like(state.barrier):
        raise StorageTampered(f"{describe(EPOCHS)}: not what Keystead wrote there")
    return barrier


Seen = Callable[[bytes, bytes], None]
"""Hears of a record that is as it was written: its place and its encoded value."""


def verify(store: Store, seen: Seen) -> Verification:
    """What is in order and what is not; see `Store.verify_all`."""
    nodes = Nodes(store.backend.get, most=1_000)  # its own: what is cached says nothing about the disk
    records = index_entries = 0
    findings: list[str] = []
    position: bytes | None = b""
    while position is not None:
        try:
            chunk, found, opened = _compared(store, nodes, position)
        except StorageTampered as error:
            findings.append(f"{error} (what lies behind it could not be checked)")
            break
        findings.extend(found)
        for place, value in opened.items():
            seen(place, value)
        entries = chunk.values.count(INDEX_ENTRY)
        index_entries += entries
        records += len(chunk.values) - entries
        position = chunk.end
    return Verification(records, index_entries, tuple(findings))


def _compared(store: Store, nodes: Nodes, position: bytes) -> tuple[Chunk, list[str], dict[bytes, bytes]]:
    """The leaf entries from `position` on, how the stored rows differ from them, and the values of those that do not."""
    state = store.view.reload()
    while True:
        chunk = store.view.consistent(lambda now: nodes.chunk(now.root, position, now.barrier))
        found, opened = _differences(store, state, chunk, position)
        newer = store.view.reload()
        if newer is state or not found:
            return chunk, found, opened
        state = newer


def _differences(
    store: Store, state: State, chunk: Chunk, position: bytes
) -> tuple[list[str], dict[bytes, bytes]]:
    wanted = {
        place: version
        for place, version in zip(chunk.keys, chunk.values, strict=True)
        if version != INDEX_ENTRY
    }
    end = _ROWS_END if chunk.end is None else min(chunk.end, _ROWS_END)
    stored = dict(store.backend.scan(max(position, _ROWS), end, len(wanted) + _STRANGERS))
    opened = {
        place: value
        for place, sealed in stored.items()
        if wanted.get(place) == digest(sealed) and (value := _opened(state, place, sealed)) is not None
    }
    found = [f"{describe(place)}: not what Keystead wrote there" for place in stored if place not in opened]
    return found + [f"{describe(place)}: missing" for place in wanted if place not in stored], opened


def _opened(state: State, place: bytes, sealed: bytes) -> bytes | None:
    try:
        return state.barrier.open(place, sealed)
    except StorageTampered:
        return None
