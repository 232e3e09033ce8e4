"""Numbers: counted once, the same whichever worker is asked, and telling nothing of anybody."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from keystead.api.log_lag import progress_of
from keystead.api.measures import SECONDS, Board, Measures, Numbers
from keystead.api.metrics import METRICS, MetricsPage
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logkeys import LogKeys
from keystead.testing import RunningServer

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = 86_400.0


def samples(page):
    families = text_string_to_metric_families(page.decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def calls(found):
    return sum(value for place, value in found.items() if place[0] == "keystead_calls_total")


class Worker:
    """A worker as far as its numbers go."""

    def __init__(self, directory, name):
        self.board = Board(directory, name)
        self.measures, self.name, self.time = Measures(self.board.mine()), name, 100.0
        self.page = MetricsPage(self.board, self.now, lambda: progress_of(directory))
        self.records = 0

    def now(self):
        return Numbers(
            worker=self.name,
            time=self.time,
            calls=self.measures.calls(),
            group_sizes=self.measures.group_sizes,
            group_seconds=self.measures.group_seconds,
            gauges={"keystead_ready": 1.0, "keystead_journal_records_total": float(self.records)},
        )

    def shown(self):
        return samples(self.page.render())


@given(st.lists(st.floats(0, 100), max_size=50))
@settings(max_examples=50, deadline=None)
def test_each_duration_is_in_one_bucket_and_in_the_sum(durations):
    measures = Measures()
    for seconds in durations:
        measures.call("kms", "Encrypt", "ok", seconds)
    cell = dict.fromkeys(["none"])
    for *_, cell in measures.calls():
        assert sum(cell[:-1]) == len(durations)
        assert cell[-1] == pytest.approx(sum(durations))
        for place, (low, high) in enumerate(pairwise((-1.0, *SECONDS))):
            assert cell[place] == sum(low < seconds <= high for seconds in durations)


def test_one_scrape_tells_what_all_workers_counted(tmp_path):
    one, two = Worker(tmp_path, "w0"), Worker(tmp_path, "w1")
    one.measures.call("kms", "Encrypt", "ok", 0.001)
    two.measures.call("kms", "Encrypt", "ok", 0.002)
    two.measures.group(3, 0.0001)
    two.board.publish(two.now())
    found = one.shown()
    labels = (("operation", "Encrypt"), ("outcome", "ok"), ("service", "kms"))
    assert found["keystead_calls_total", *labels] == 2
    timed = (("operation", "Encrypt"), ("service", "kms"))
    assert found["keystead_call_duration_seconds_sum", *timed] == pytest.approx(0.003)
    assert found["keystead_call_duration_seconds_count", *timed] == 2
    assert found["keystead_commit_group_calls_sum",] == 3
    assert found["keystead_workers",] == 2


def test_whoever_is_asked_next_tells_no_less(tmp_path):
    one, two = Worker(tmp_path, "w0"), Worker(tmp_path, "w1")
    told = 0
    for worker, other in ((one, two), (two, one)) * 5:
        worker.measures.call("kms", "Encrypt", "ok", 0.001)
        now = calls(worker.shown())
        assert now >= told
        told = now
        other.measures.call("kms", "Encrypt", "ok", 0.001)


def test_a_worker_goes_on_from_where_it_stopped(tmp_path):
    before = Worker(tmp_path, "w0")
    before.measures.call("kms", "Encrypt", "ok", 0.001)
    before.shown()
    after = Worker(tmp_path, "w0")
    after.measures.call("kms", "Encrypt", "ok", 0.001)
    assert calls(after.shown()) == 2


def test_a_worker_that_is_gone_is_not_told_of_but_what_it_did_is(tmp_path):
    gone, here = Worker(tmp_path, "w1"), Worker(tmp_path, "w0")
    gone.measures.call("kms", "Encrypt", "ok", 0.001)
    gone.board.publish(gone.now())
    here.time += 60
    found = here.shown()
    assert calls(found) == 1
    assert found["keystead_workers",] == 1
    assert ("keystead_ready", ("worker", "w1")) not in found


def test_a_file_that_holds_nothing_usable_is_passed_over(tmp_path):
    Worker(tmp_path, "w1").shown()
    (tmp_path / "metrics" / "w1").write_bytes(b"nonsense")
    assert Worker(tmp_path, "w0").shown()["keystead_workers",] == 1


KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)


def test_how_far_the_log_is_behind_the_journals_is_told(tmp_path):
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    one, idle = Worker(tmp_path, "w0"), Worker(tmp_path, "w1")
    idle.time = one.time = (tmp_path / "journal").stat().st_mtime + 40.0
    idle.shown()
    assert one.shown()["keystead_log_lag_seconds",] == 0
    journal.append([b'{"eventID":"x"}'] * 5)
    one.records = journal.next_index
    before = one.shown()
    assert before["keystead_log_behind_records", ("worker", "w0")] == 5
    assert before["keystead_log_behind_records", ("worker", "w1")] == 0
    assert before["keystead_log_lag_seconds",] == pytest.approx(40)
    Sequencer(tmp_path, KEYS, lambda _: None).run()
    one.time = (tmp_path / "log/head").stat().st_mtime + 7.0
    after = one.shown()
    assert after["keystead_log_entries",] == 5
    assert after["keystead_log_behind_records", ("worker", "w0")] == 0
    assert after["keystead_log_lag_seconds",] == 0
    assert after["keystead_log_checkpoint_age_seconds",] == pytest.approx(7)
    one.records += 3
    assert one.shown()["keystead_log_lag_seconds",] == pytest.approx(7)
    (tmp_path / "log/head").write_bytes(b"damaged")
    assert one.shown()["keystead_log_behind_records", ("worker", "w0")] == 8
    journal.abandon()


@pytest.fixture(scope="module")
def page():
    """What a server tells after some use."""
    with RunningServer() as server:
        kms = server.client()
        key = kms.create_key(Description="SecretProject")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/SecretProject", TargetKeyId=key)
        kms.encrypt(KeyId=key, Plaintext=b"SecretProject", EncryptionContext={"SecretProject": "x"})
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        kms.create_key()
        server.clock.advance(8 * DAY)
        server.app.figures._count()
        status, found = server.get("/metrics")
        assert status == 200
        return found


def test_every_metric_that_is_described_is_told_and_no_other(page):
    told = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(page.decode())
    }
    assert told == {metric.name for metric in METRICS}


def test_labels_are_those_described_and_tell_nothing_of_anybody(page):
    described = {metric.name: set(metric.labels) for metric in METRICS}
    for family in text_string_to_metric_families(page.decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == described[name]
    assert b"SecretProject" not in page
    assert b"arn:" not in page


def test_keys_are_told_by_state_and_late_work_by_its_age(page):
    found = samples(page)
    states = {place[1][1]: value for place, value in found.items() if place[0] == "keystead_keys"}
    assert sum(states.values()) in {1, 2}  # the timer may have deleted the one that is due
    assert states["Enabled"] == 1


def expressions(name):
    if name.endswith(".json"):
        board = json.loads((EXAMPLES / name).read_text())
        return [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((EXAMPLES / name).read_text())
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("name", ["grafana/keystead.json", "prometheus/keystead-alerts.yaml"])
def test_examples_ask_for_what_there_is(page, name):
    there = {place[0] for place in samples(page)}
    asked = [found for text in expressions(name) for found in re.findall(r"keystead_[a-z_]+", text)]
    assert asked
    assert set(asked) <= there
    labels = {label for metric in METRICS for label in metric.labels} | {"le"}
    for text in expressions(name):
        for inside in re.findall(r"by \(([^)]*)\)", text):
            assert set(re.split(r",\s*", inside)) <= labels
        for inside in re.findall(r"\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)(?:=~|!=|=)", inside)) <= labels
