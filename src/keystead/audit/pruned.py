"""What has been told to be pruned: `log/pruned`, which counts only as the log signed it."""

from __future__ import annotations

from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.tlog import Pruned, open_pruned

NOTHING = Pruned(time="")


def known_pruned(files: LogFiles, keys: LogKeys) -> Pruned:
    """What is told to be pruned.

    Raises:
        errors.LogError: the note is not what the log signed.
    """
    note, origin = files.pruned(), keys.origin(None)
    return NOTHING if note is None else open_pruned(note, origin, [keys.signer(origin).key])
