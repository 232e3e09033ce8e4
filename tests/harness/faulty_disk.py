"""A disk that fails at the step that a test names, in one of the ways in which disks fail."""

import errno
import os

from keystead.audit.disk import OsDisk

LOST, PERSISTED, SHORT, FULL = "lost", "persisted though reported lost", "short", "disk full"
MODES = (LOST, PERSISTED, SHORT, FULL)


def one_after_the_other(file, data, offset):
    """`write_through` of a file whose write and sync may each fail by itself."""
    written = file.write(data, offset)
    if written == len(data):
        file.sync()
    return written


class FaultyFile:
    """A file whose unsynced writes can be taken back."""

    def __init__(self, disk, file, path):
        self.disk, self.file, self.path = disk, file, path
        self.unsynced = []
        self.synced_size = self.size()

    def size(self):
        return os.fstat(self.file._descriptor).st_size

    def write(self, data, offset):
        fault = self.disk.step(self)
        if fault in (LOST, FULL):
            raise OSError(errno.ENOSPC if fault == FULL else errno.EIO, fault)
        data = data[: len(data) // 2] if fault == SHORT else data
        self.unsynced.append((offset, self.file.read(len(data), offset)))
        written = self.file.write(data, offset)
        if fault == PERSISTED:
            raise OSError(errno.EIO, fault)
        return written

    def begin_sync(self):
        self.file.begin_sync()

    def sync(self):
        fault = self.disk.step(self)
        if fault in (LOST, SHORT, FULL):
            self.take_back()
            raise OSError(errno.EIO, fault)
        self.unsynced, self.synced_size = [], self.size()
        if fault == PERSISTED:
            raise OSError(errno.EIO, fault)

    def write_through(self, data, offset):
        return one_after_the_other(self, data, offset)

    def take_back(self):
        for offset, before in reversed(self.unsynced):
            self.file.write(before, offset)
        self.unsynced = []
        os.ftruncate(self.file._descriptor, self.synced_size)

    def read(self, length, offset):
        return self.file.read(length, offset)

    def close(self):
        self.file.close()


class FaultyDisk(OsDisk):
    """Counts what changes the disk and fails where `faults` says; FULL lasts until `faults` is emptied."""

    def __init__(self, faults=None, before_each=None):
        self.faults = dict(faults or {})
        self.before_each = before_each
        self.steps = 0
        self.full = False
        self.unsynced_names = set()

    def step(self, file=None):
        if self.before_each is not None:
            self.before_each(file)
        fault = self.faults.pop(self.steps, None)
        self.steps += 1
        self.full = self.full or fault == FULL
        return FULL if self.full else fault

    def heal(self):
        self.faults, self.full = {}, False

    def create(self, path, size):
        fault = self.step()
        if fault in (LOST, SHORT, FULL):
            raise OSError(errno.ENOSPC, fault)
        file = FaultyFile(self, super().create(path, size), path)
        if fault == PERSISTED:
            file.close()
            raise OSError(errno.EIO, fault)
        return file

    def open(self, path):
        return FaultyFile(self, super().open(path), path)

    def move(self, old, new):
        fault = self.step()
        if fault in (LOST, SHORT, FULL):
            raise OSError(errno.EIO, fault)
        # Its sync of the directory is a step of its own: the name may be there and not be durable.
        self.unsynced_names.add(new)
        super().move(old, new)
        if fault == PERSISTED:
            raise OSError(errno.EIO, fault)

    def sync_names(self, directory):
        if self.step() is not None:
            raise OSError(errno.EIO, "names")
        super().sync_names(directory)
        self.unsynced_names = {path for path in self.unsynced_names if path.parent != directory}
