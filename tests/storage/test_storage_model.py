"""Any sequence of commits, rotations and reopenings leaves what a dictionary would hold."""

import itertools
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keystead.errors import StorageConflict
from keystead.storage import SqliteBackend, Store, Table

ROOT = bytes(range(32))


class Note(msgspec.Struct, frozen=True):
    text: str
    size: int


NOTES = Table(
    "notes", Note, {"by_text": lambda key, note: [note.text], "by_size": lambda key, n: [str(n.size)]}
)

keys = st.sampled_from([f"{a}/{b}" for a in "abc" for b in range(40)])
notes = st.builds(Note, st.sampled_from(["x", "y", "xy", ""]), st.integers(0, 3))


class Model(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "store.db"
        self.model = {}
        self.count = 0

    @initialize()
    def create(self):
        self.stores = [Store.create(SqliteBackend(self.path), ROOT)]
        self.stores.append(Store.open(SqliteBackend(self.path), ROOT, records=8, nodes=2))
        self.turn = itertools.cycle(self.stores)

    def teardown(self):
        for store in self.stores:
            store.close()
        self.directory.cleanup()

    @rule(changes=st.dictionaries(keys, st.none() | notes, max_size=30), bump=st.integers(-3, 3))
    def commit(self, changes, bump):
        transaction = next(self.turn).transaction()
        for key, note in changes.items():
            if note is None:
                transaction.delete(NOTES, key)
                self.model.pop(key, None)
            else:
                transaction.put(NOTES, key, note)
                self.model[key] = note
        transaction.bump("n", bump)
        self.count += bump
        assert next(self.turn).commit([transaction]) == [None]

    @rule(first=st.dictionaries(keys, notes, max_size=5), second=st.dictionaries(keys, notes, max_size=5))
    def group_of_inserts(self, first, second):
        store = next(self.turn)
        transactions = [store.transaction(), store.transaction()]
        for transaction, inserted in zip(transactions, (first, second), strict=True):
            for key, note in inserted.items():
                transaction.insert(NOTES, key, note)
        for outcome, inserted in zip(store.commit(transactions), (first, second), strict=True):
            if self.model.keys() & inserted.keys():
                assert isinstance(outcome, StorageConflict)
            else:
                assert outcome is None
                self.model.update(inserted)

    @rule(key=keys)
    def read(self, key):
        for store in self.stores:
            assert store.transaction().get(NOTES, key) == self.model.get(key)

    @rule(key=keys, note=notes)
    def overtaken(self, key, note):
        slow = self.stores[0].transaction()
        slow.get(NOTES, key)
        slow.put(NOTES, "a/0", note)
        quick = self.stores[1].transaction()
        quick.put(NOTES, key, note)
        assert self.stores[1].commit([quick]) == [None]
        self.model[key] = note
        assert isinstance(self.stores[0].commit([slow])[0], StorageConflict)

    @rule(
        prefix=st.sampled_from(["", "a", "b/1", "d"]),
        after=st.none() | keys,
        limit=st.none() | st.integers(0, 9),
    )
    def scan(self, prefix, after, limit):
        expected = [
            (key, note)
            for key, note in sorted(self.model.items())
            if key.startswith(prefix) and (after is None or key > after)
        ]
        assert next(self.turn).transaction().scan(NOTES, prefix, after, limit) == expected[:limit]
        keys = [key for key, _ in expected[:limit]]
        assert next(self.turn).transaction().scan_keys(NOTES, prefix, after, limit) == keys

    @rule(prefix=st.sampled_from(["", "x", "y"]))
    def scan_index(self, prefix):
        expected = sorted((n.text, key) for key, n in self.model.items() if n.text.startswith(prefix))
        assert next(self.turn).transaction().scan_index(NOTES, "by_text", prefix) == expected

    @rule()
    def rotate(self):
        next(self.turn).rotate_barrier()

    @rule(limit=st.integers(1, 100))
    def reseal(self, limit):
        next(self.turn).reseal(limit)

    @precondition(lambda self: self.model)
    @rule()
    def reopen(self):
        number = self.stores[0].commit_number
        for store in self.stores:
            store.close()
        self.stores = [Store.open(SqliteBackend(self.path), ROOT) for _ in range(2)]
        self.turn = itertools.cycle(self.stores)
        self.stores[0].expect_at_least(number)

    @invariant()
    def nothing_is_out_of_order(self):
        if not hasattr(self, "stores"):
            return
        verified = self.stores[0].verify_all()
        assert verified.findings == ()
        assert verified.index_entries == 2 * len(self.model)
        assert next(self.turn).transaction().count("n") == self.count


Model.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestModel = Model.TestCase
