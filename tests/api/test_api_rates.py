"""Request quotas: what counts against which, for whom, and what a client is told."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from keystead import errors
from keystead.api.rates import Rates, parse, quotas_of
from keystead.api.shared_buckets import SLOTS, SharedBuckets
from keystead.app import SERVICES
from keystead.audit.reader import read_journal
from keystead.keys.spec import KEY_SPECS
from keystead.settings import load
from keystead.testing import RunningServer

ONCE = Config(retries={"total_max_attempts": 1})
OPERATIONS = {name: service.operations for name, service in SERVICES.items()}


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def call(operation="GenerateRandom", account="000000000000", region="us-east-1", arn="arn:aws:iam::0:root"):
    caller = SimpleNamespace(arn=arn, name="")
    return SimpleNamespace(operation=operation, account=account, region=region, caller=caller)


def target(spec):
    return SimpleNamespace(key=SimpleNamespace(spec=spec))


def passes(rates, *calls):
    """Which of the calls are let through."""
    through = []
    for one in calls:
        try:
            rates.check(one, "kms", ())
        except errors.Throttling:
            through.append(False)
        else:
            through.append(True)
    return through


def test_threads_that_ask_at_once_are_counted_one_after_the_other():
    class Watched(dict):
        def get(self, name, default=None):
            seen.append(rates._lock.locked())
            return super().get(name, default)

    seen = []
    rates = Rates(Watched({"kms:symmetric": 100.0}), Watched(), Time())
    threads = [threading.Thread(target=passes, args=(rates, *[call()] * 50)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen
    assert all(seen)
    assert passes(rates, call()) == [False]


def test_a_seconds_worth_is_let_through_and_then_as_much_as_fills_up():
    time = Time()
    rates = Rates({"kms:symmetric": 3.0}, {}, time)
    assert passes(rates, *[call()] * 5) == [True, True, True, False, False]
    time.now += 0.5
    assert passes(rates, *[call()] * 2) == [True, False]
    time.now += 1000
    assert passes(rates, *[call()] * 5) == [True, True, True, False, False]


def test_less_than_one_a_second():
    time = Time()
    rates = Rates({"kms:symmetric": 0.1}, {}, time)
    assert passes(rates, call(), call()) == [True, False]
    time.now += 9
    assert passes(rates, call()) == [False]
    time.now += 1.1
    assert passes(rates, call()) == [True]


def test_accounts_and_regions_are_apart_and_principals_of_an_account_are_together():
    rates = Rates({"kms:symmetric": 1.0}, {}, Time())
    other = "arn:aws:iam::0:user/other"
    assert passes(rates, call(), call(arn=other), call(account="1" * 12), call(region="eu-west-1")) == [
        True,
        False,
        True,
        True,
    ]


def test_principals_have_quotas_of_their_own():
    rates = Rates({}, {"kms:symmetric": 1.0}, Time())
    assert passes(rates, call(), call(), call(arn="arn:aws:iam::0:user/other")) == [True, False, True]


def test_kinds_of_keys_have_quotas_of_their_own():
    shared = {spec: quotas_of("kms", "Sign", (target(spec),)) for spec in KEY_SPECS}
    assert all(len(names) == 1 for names in shared.values())
    assert shared["RSA_4096"] == ["kms:rsa"]
    assert shared["ECC_SECG_P256K1"] == ["kms:ecc"]
    assert shared["HMAC_256"] == shared["SYMMETRIC_DEFAULT"] == ["kms:symmetric"]
    assert quotas_of("kms", "ReEncrypt", (target("RSA_2048"), target("SYMMETRIC_DEFAULT"))) == [
        "kms:rsa",
        "kms:symmetric",
    ]
    assert quotas_of("kms", "DescribeKey", (target("RSA_2048"),)) == ["kms:DescribeKey"]
    assert quotas_of("sts", "AssumeRole", ()) == ["sts:AssumeRole"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("kms:symmetric", "NAME=REQUESTS-A-SECOND"),
        ("kms:symmetric=0", "NAME=REQUESTS-A-SECOND"),
        ("kms:symmetric=inf", "NAME=REQUESTS-A-SECOND"),
        ("kms:symmetric=nan", "NAME=REQUESTS-A-SECOND"),
        ("kms:Symmetric=5", "no rate limit 'kms:Symmetric'"),
        ("s3:Nothing=5", "no rate limit 's3:Nothing'"),
    ],
)
def test_what_is_no_quota_is_named(written, said):
    with pytest.raises(errors.SettingsError, match=said):
        parse([written], OPERATIONS)


def test_workers_share_a_quota(tmp_path):
    time = Time()
    first, second = (
        Rates({"kms:symmetric": 4.0}, {"kms:symmetric": 3.0}, time, SharedBuckets(tmp_path / "rates"))
        for _ in range(2)
    )
    other = call(arn="arn:aws:iam::0:user/other")
    assert passes(first, call(), call()) == [True, True]
    assert passes(second, call(), call()) == [True, False]  # the caller's are used up
    assert passes(second, other) == [
        False
    ]  # and by then the account's, which the refused one counted against
    time.now += 0.5
    assert passes(first, other, other) == [True, True]
    assert passes(second, other) == [False]
    time.now = 0.1  # the machine was started anew
    assert passes(second, other) == [True]


def test_shared_buckets_are_told_apart_and_the_longest_unused_gives_way(tmp_path):
    shared = SharedBuckets(tmp_path / "rates")
    names = [("kms:symmetric", "us-east-1", f"{number:012}") for number in range(1000)]
    for at, name in enumerate(names):
        place, digest, known = shared.find(name)
        assert known is None
        shared.keep(place, digest, 0.5, float(at))
    again = SharedBuckets(tmp_path / "rates")
    assert [again.find(name)[2] for name in names] == [(0.5, float(at)) for at in range(1000)]
    for number in range(1000, 3 * SLOTS):
        name = ("kms:symmetric", "us-east-1", f"{number:012}")
        place, digest, _ = shared.find(name)
        shared.keep(place, digest, 0.0, float(number))
        assert shared.find(name)[2] == (0.0, float(number))


def test_quotas_can_come_from_a_variable():
    settings = load({}, {"KEYSTEAD_RATE_LIMITS": "kms:CreateKey=5,kms:rsa=500"})
    assert settings.rate_limits == ("kms:CreateKey=5", "kms:rsa=500")


def test_a_server_with_a_bad_quota_does_not_start():
    with pytest.raises(errors.SettingsError, match="no rate limit"):
        RunningServer(rate_limits=("kms:CreateKeys=5",)).__enter__()


def test_a_client_beyond_its_quota_is_told_so_and_it_is_recorded():
    with RunningServer(rate_limits=("kms:CreateKey=0.001",)) as server:
        kms = server.client("kms", config=ONCE)
        kms.create_key()
        with pytest.raises(ClientError) as refused:
            kms.create_key()
        assert refused.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert len(kms.list_keys()["Keys"]) == 1
        events = [frame.payload for frame in read_journal(server.data_dir, "w0")]
        assert sum(b'"errorCode":"ThrottlingException"' in event for event in events) == 1


def test_a_query_client_is_told_in_its_own_words():
    with RunningServer(rate_limits=("sts:GetCallerIdentity=0.001",)) as server:
        sts = server.client("sts", config=ONCE)
        sts.get_caller_identity()
        with pytest.raises(ClientError, match="Rate exceeded") as refused:
            sts.get_caller_identity()
        assert refused.value.response["Error"]["Code"] == "Throttling"
