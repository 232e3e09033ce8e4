"""A file system after a power failure: of what was not synced, the worst happens."""

import os

from keystead.objects.files import OsFiles


class LossyFiles(OsFiles):
    """The operating system's files; `lose` takes back what was never made durable.

    A file keeps its first `kept` bytes of what was written since its last sync; a name that was not synced is gone, and
    with it what was only there.
    """

    def __init__(self):
        self.open = {}  # descriptor → path
        self.durable = {}  # path → bytes synced
        self.renamed = {}  # new path → old path, not synced

    def create(self, path):
        descriptor = super().create(path)
        self.open[descriptor] = path
        self.durable[path] = 0
        return descriptor

    def sync(self, descriptor):
        super().sync(descriptor)
        self.durable[self.open[descriptor]] = os.fstat(descriptor).st_size

    def rename(self, old, new):
        super().rename(old, new)
        self.renamed[new] = old
        self.durable[new] = self.durable.pop(old)

    def sync_names(self, directory):
        super().sync_names(directory)
        self.renamed = {new: old for new, old in self.renamed.items() if new.parent != directory}

    def lose(self, *, names, kept=0):
        """None; with `names`, names that were not synced are lost too, and else they persisted by chance."""
        for path, size in self.durable.items():
            if path.exists():
                os.truncate(path, min(path.stat().st_size, size + kept))
        if names:
            for new in self.renamed:
                new.unlink(missing_ok=True)
