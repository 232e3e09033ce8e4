"""The Merkle log as values: hashes, tiles, checkpoints, proofs, and what an entry shows.

Owns the published formats (C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature, tlog-witness) and this
log's own form of an entry. Refuses to know files, sockets, clocks and journals: what is to be written it returns,
what it needs it reads through a function that it is given.
"""

from keystead.tlog.alike import Alike, Stretch, events_of
from keystead.tlog.checkpoint import Checkpoint, Signer, VerifierKey, open_checkpoint, sign_checkpoint
from keystead.tlog.commitments import Salts
from keystead.tlog.digests import StateDigests
from keystead.tlog.entry import event_leaf, note_leaf
from keystead.tlog.entry2 import together_leaf
from keystead.tlog.grow import Growth, append, root_of
from keystead.tlog.leaves import event_leaves
from keystead.tlog.merkle import EMPTY_ROOT, leaf_hash
from keystead.tlog.opening import Opening, openings
from keystead.tlog.proof import consistency, inclusion, verify_consistency, verify_inclusion
from keystead.tlog.pruned import Pruned, Start, open_pruned, sign_pruned
from keystead.tlog.tile import Tile, hash_reader, parse_path, tile_at, tiles_of
from keystead.tlog.together import ids_of, records_of

__all__ = [
    "EMPTY_ROOT",
    "Alike",
    "Checkpoint",
    "Growth",
    "Opening",
    "Pruned",
    "Salts",
    "Signer",
    "Start",
    "StateDigests",
    "Stretch",
    "Tile",
    "VerifierKey",
    "append",
    "consistency",
    "event_leaf",
    "event_leaves",
    "events_of",
    "hash_reader",
    "ids_of",
    "inclusion",
    "leaf_hash",
    "note_leaf",
    "open_checkpoint",
    "open_pruned",
    "openings",
    "parse_path",
    "records_of",
    "root_of",
    "sign_checkpoint",
    "sign_pruned",
    "tile_at",
    "tiles_of",
    "together_leaf",
    "verify_consistency",
    "verify_inclusion",
]
