"""Pruning: only what is old, in the log, read by all and held by nobody goes, and a stop anywhere does no harm."""

import gzip
import json

import pytest

from keystead.audit.archive import Archive, Archived
from keystead.audit.disk import OsDisk
from keystead.audit.event import event_time
from keystead.audit.followers import Follower
from keystead.audit.holds import Hold
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.prune import Rules, carry_out, plan
from keystead.audit.query import Filter, find
from keystead.audit.reader import read_journal
from keystead.audit.sink import DirectorySink
from keystead.audit.verify import check_log
from keystead.errors import LogError, SinkFailed
from keystead.tlog import Pruned, Tile, open_checkpoint, root_of, sign_pruned
from keystead.tlog.tile import ENTRIES
from keystead_verify.main import run

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
ORIGIN = KEYS.origin(None)
NOTHING = Pruned(time="")
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::111122223333:role/Clerk"
START = 1_700_000_000


def event(number, **members):
    return json.dumps(
        {
            "eventID": f"{number:08d}-1111-4111-8111-111111111111",
            "eventName": "Encrypt",
            "eventTime": event_time(START + number),
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/u{number % 3}"},
            **members,
        }
    ).encode()


class Deployment:
    """Events of one a second in small segments, all of them in the log."""

    def __init__(self, root, count=1500, **special):
        self.root, self.files = root, LogFiles(root)
        self.journal = Journal.open(root, "w0", segment_size=1 << 15, prepare_ahead=False)
        for start in range(0, count, 20):
            self.journal.append(
                [event(n, **special.get(f"n{n}", {})) for n in range(start, min(count, start + 20))]
            )
        self.sequencer = Sequencer(root, KEYS, lambda _: None)
        self.sequencer.run()

    def rules(self, before=START + 10**6, holds=(), followers=(), archived=None):
        return Rules(before=before, holds=holds, followers=followers, archived=archived)

    def plan(self, known=NOTHING, disk=None, **rules):
        return plan(self.root, self.files, disk or OsDisk(), known, self.rules(**rules), START)

    def prune(self, known=NOTHING, disk=None, **rules):
        doing = self.plan(known, **rules)
        carry_out(self.root, LogFiles(self.root, disk), disk or OsDisk(), doing)
        return doing

    @property
    def segments(self):
        return sorted(path.name for path in (self.root / "journal/w0").glob("*.seg"))

    def kept(self):
        return [frame.index for frame in read_journal(self.root, "w0")]

    def bundles(self):
        return [n for n in range(10) if self.files.exists(Tile(ENTRIES, n))]


@pytest.fixture
def deployment(tmp_path):
    made = []

    def make(**given):
        made.append(Deployment(tmp_path / str(len(made)), **given))
        return made[-1]

    yield make
    for one in made:
        one.journal.abandon()


def test_what_is_old_goes_and_the_log_goes_on(deployment):
    one = deployment()
    first, *_, last = one.segments
    done = one.prune()
    assert first not in one.segments
    assert one.segments == [last]
    assert one.bundles() == []
    assert done.pruned.bundles == 1500 // 256
    assert done.pruned.following == {"w0": 1280}
    assert done.pruned.newest == event_time(START + 1279)
    one.journal.append([event(1500)])
    assert Sequencer(one.root, KEYS, lambda _: None).run() == 1
    head = one.files.head()
    checkpoint = open_checkpoint(head.checkpoint, [KEYS.signer(ORIGIN).key])
    assert checkpoint.size == 1501
    assert root_of(1501, one.files.read) == checkpoint.root
    one.journal.close()
    again = Journal.open(one.root, "w0", segment_size=1 << 15, prepare_ahead=False)
    assert again.next_index == 1502
    again.abandon()


def test_nothing_goes_before_its_time(deployment):
    one = deployment()
    assert one.plan(before=START).empty
    done = one.prune(before=START + 600)
    kept = one.kept()
    assert 300 < kept[0] <= 600  # a segment goes as a whole
    assert kept == list(range(kept[0], 1500))
    assert done.pruned.journals["w0"].index == kept[0]
    assert done.pruned.following["w0"] == done.pruned.bundles * 256 <= kept[0]
    assert "is of 2023-" in done.kept[0].reason


SPECIAL = {
    "n700": {"resources": [{"type": "AWS::KMS::Key", "ARN": KEY}]},
    "n900": {
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/Clerk/monday",
            "sessionContext": {"sessionIssuer": {"arn": ROLE}},
        }
    },
}


@pytest.mark.parametrize(
    ("covers", "first"),
    [
        ({"everything": True}, 0),
        ({"keys": (KEY,)}, 700),
        ({"principals": (ROLE,)}, 900),
        ({"principals": ("arn:aws:sts::111122223333:assumed-role/Clerk/monday",)}, 900),
        ({"since": START + 800.0}, 800),
        ({"until": START + 5.0}, 0),
        ({"since": START + 650.0, "until": START + 660.0}, 650),
        ({"keys": (KEY,), "since": START + 1.0, "until": START + 699.0}, None),
        ({"keys": (KEY,), "principals": (ROLE,)}, None),
        ({"keys": ("arn:aws:kms:us-east-1:111122223333:key/another",)}, None),
    ],
)
def test_a_hold_keeps_what_it_covers(deployment, covers, first):
    one = deployment(**SPECIAL)
    hold = Hold(name="case-7", reason="litigation", placed=0, **covers)
    done = one.prune(holds=(hold,))
    if first is None:
        assert len(one.segments) == 1
        return
    assert first in one.kept()
    assert one.kept()[0] <= first
    assert done.pruned.bundles <= first // 256
    assert done.kept[0].reason == f"the hold case-7 covers record {first}"


def test_what_cannot_be_judged_is_held(deployment):
    one = deployment(n3={"eventTime": "yesterday"})
    hold = Hold(name="h", reason="r", placed=0, keys=(KEY,), since=START + 10.0**6)
    assert one.plan(holds=(hold,)).empty
    assert not one.plan().empty


def test_whoever_follows_is_waited_for(deployment):
    one = deployment()
    behind = Follower(name="the trail", positions={"w0": 400})
    done = one.prune(followers=(behind,))
    assert done.kept[0].reason == "the trail has not read all of it yet"
    assert one.kept()[0] <= 400
    assert done.pruned.bundles == one.kept()[0] // 256
    assert one.plan(done.pruned, followers=(Follower(name="new", positions={}),)).empty
    unconcerned = Follower(name="a later trail", positions={}, since=START + 5000.0)
    assert len(one.plan(done.pruned, followers=(unconcerned,)).segments) == len(one.segments) - 1


def test_what_is_not_in_the_log_stays(deployment):
    one = deployment()
    for start in range(1500, 3000, 20):
        one.journal.append([event(n) for n in range(start, start + 20)])
    done = one.prune()
    assert one.kept()[0] <= 1500
    assert done.kept[0].reason == "not all of it is in the log yet"


def test_tampered_evidence_is_not_done_away_with(deployment):
    one = deployment()
    bundle = one.root / "log/tile/entries/001"
    content = bytearray(bundle.read_bytes())
    content[1000] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(LogError, match="log/tile/entries/001 is not what its tile says"):
        one.plan()


def test_the_index_forgets_what_went(deployment):
    one = deployment()
    index = Index(one.root)
    index.catch_up()
    one.prune(before=START + 600)
    kept = one.kept()
    assert index.forget_pruned() == kept[0]
    found = [json.loads(each.payload)["eventID"][:8] for each in find(index, Filter(), newest_first=False)]
    assert found == [f"{n:08d}" for n in kept]
    with index.reading() as connection:
        (oldest,) = connection.execute("SELECT min(oldest) FROM batch").fetchone()
    assert oldest == START + kept[0]
    assert index.forget_pruned() == 0


def test_partial_tiles_that_a_crash_left_are_tidied_up(deployment):
    one = deployment()
    stale = [one.root / "log/tile/entries/000.p/17", one.root / "log/tile/0/005.p/3"]
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    ahead = one.root / "log/tile/0/005.p/255"
    ahead.write_bytes(b"not told yet")
    assert one.files.tidy(1500) == 2
    assert not any(path.exists() for path in stale)
    assert not stale[0].parent.exists()
    assert ahead.exists()
    assert one.files.exists(Tile(0, 5, 1500 % 256))


def told(one, known=NOTHING):
    """The note of what is pruned, which the log signs before anything goes."""
    one.files.publish_pruned(sign_pruned(one.plan(known).pruned, ORIGIN, KEYS.signer(ORIGIN)))


def test_audit_verify_takes_what_is_pruned_into_account(deployment):
    one = deployment()
    told(one)
    assert check_log(one.root, KEYS).findings == ()
    one.prune()
    checked = check_log(one.root, KEYS)
    assert checked.findings == ()
    assert (checked.entries, checked.waiting) == (1500, 0)
    assert checked.pruned == one.kept()[0] >= 1280


@pytest.mark.parametrize("note", [None, b"nonsense", "by somebody else"])
def test_without_the_logs_note_what_is_missing_is_told(deployment, note):
    one = deployment()
    if note == "by somebody else":
        other = LogKeys("11111111-1111-4111-8111-111111111111", bytes([7]) * 32, b"s" * 32)
        note = sign_pruned(one.plan().pruned, ORIGIN, other.signer(ORIGIN)).encode()
    one.prune()
    if note is not None:
        (one.root / "log/pruned").write_bytes(note)
    findings = check_log(one.root, KEYS).findings
    assert any("log/tile/entries/000 is missing" in finding for finding in findings)
    assert any(finding.startswith("log/pruned: ") for finding in findings) == (note is not None)


def test_what_goes_beyond_the_note_is_told(deployment):
    one = deployment()
    told(one)
    one.prune()
    (one.root / "log/tile/entries/005.p/220").unlink()
    assert any("005.p/220 is missing" in finding for finding in check_log(one.root, KEYS).findings)


# -------------------------------------------------------------------------------- faults


class Failing(OsDisk):
    """Fails at its removal number `at`, before or after it is carried out."""

    def __init__(self, at, *, persists):
        self.at, self.persists, self.steps = at, persists, 0

    def remove(self, path):
        self.steps += 1
        if self.steps - 1 != self.at:
            return super().remove(path)
        if self.persists:
            super().remove(path)
        raise OSError(5, "fault")


@pytest.mark.parametrize("persists", [False, True])
def test_a_stop_at_every_removal_is_made_good(deployment, persists):
    at, failed = 0, True
    while failed:
        one = deployment()
        told = one.plan().pruned
        try:
            one.prune(disk=Failing(at, persists=persists))
        except OSError:
            assert one.kept() == list(range(one.kept()[0], 1500))
            Index(one.root).rebuild()
            one.prune(told)
        else:
            failed = False
        assert len(one.segments) == 1
        assert one.bundles() == []
        assert one.plan(told).empty
        assert not one.plan(told).news
        at += 1
    assert at > 8


def test_a_hold_that_comes_between_keeps_what_is_still_there(deployment):
    one = deployment()
    told = one.plan().pruned
    with pytest.raises(OSError, match="fault"):
        one.prune(disk=Failing(2, persists=True))
    hold = Hold(name="late", reason="r", placed=0, everything=True)
    again = one.plan(told, holds=(hold,))
    assert again.empty
    assert again.pruned.bundles == told.bundles
    assert again.pruned.journals == told.journals


# ------------------------------------------------------------------------------- archive


def archive(one, bucket="cold", destination="here"):
    root = one.root / "buckets"
    (root / bucket).mkdir(parents=True, exist_ok=True)
    return Archive(one.root, DirectorySink(root), bucket, "keystead/d", destination)


def fetched(one, target):
    source = one.root / "buckets/cold/keystead/d"
    for path in source.rglob("*.gz"):
        out = target / path.relative_to(source).with_suffix("")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(gzip.decompress(path.read_bytes()))
    return target


def test_only_what_is_archived_goes(deployment):
    one = deployment()
    assert one.plan(archived=Archived(destination="here")).empty
    cold = archive(one)
    assert cold.run() > 0
    done = one.prune(archived=cold.position())
    assert len(one.segments) == 1
    assert done.pruned.bundles == 5
    assert cold.run() == 0


def test_the_archive_is_evidence_by_itself(deployment, tmp_path, capsys):
    one = deployment()
    archive(one).run()
    one.prune(archived=archive(one).position())
    back = fetched(one, tmp_path / "back")
    vkey = KEYS.signer(ORIGIN).key.text
    assert run(["bundle", str(back), "--vkey", vkey, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 1500
    assert [f.index for f in read_journal(back, "w0")] == list(range(one.kept()[0]))


def test_an_archive_elsewhere_does_not_count(deployment):
    one = deployment()
    archive(one).run()
    assert one.plan(archived=archive(one, destination="there").position()).empty


class Full(DirectorySink):
    """Takes so many objects and no more."""

    def __init__(self, root, most):
        super().__init__(root)
        self.left = most

    def put(self, *given):
        if not self.left:
            raise SinkFailed("full")
        self.left -= 1
        super().put(*given)


def test_a_stop_at_every_object_is_made_good(deployment):
    one, most = deployment(), 1
    (one.root / "buckets/cold").mkdir(parents=True)
    while True:
        cold = Archive(one.root, Full(one.root / "buckets", most), "cold", "keystead/d", "here")
        try:
            cold.run()
        except SinkFailed:
            at = cold.position()
            for worker, until in at.journals.items():
                names = sorted((one.root / f"buckets/cold/keystead/d/journal/{worker}").iterdir())
                assert [path.name for path in names[:until]] == [f"{n:08d}.seg.gz" for n in range(until)]
        else:
            break
        most += 1
    one.prune(archived=cold.position())
    back = fetched(one, one.root / "back")
    assert run(["bundle", str(back), "--vkey", KEYS.signer(ORIGIN).key.text]) == 0
