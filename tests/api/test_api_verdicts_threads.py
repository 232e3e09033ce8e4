"""Permissions that were found before, while many threads ask and others change what they rest on."""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from keystead.api import verdicts as room
from keystead.api.call import Target
from keystead.api.verdicts import Noting, Slot, keep
from keystead.testing import allow, deny

PLACE, TARGET = object(), Target("kms:Encrypt", "*", "000000000000")


@pytest.fixture
def often():
    """Threads change over as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Asked(dict):
    """A context that is asked for some of its keys."""

    def ask(self, names):
        noting = Noting(self)
        for name in names:
            noting.get(name)
        return noting.asked


def passes(slot, key, context, allowed, names):
    """What authorization does with a slot: let through what is known, else decide, and keep a permission."""
    if slot.verdicts.allow(context, TARGET, key, PLACE):
        return True
    if not allowed(key, context):
        return False
    asked = context.ask(names)
    keep(slot, key, PLACE, TARGET, asked, lambda given, _: tuple(map(given.get, names)), grants=None)
    return True


def sizes(slot):
    ways = slot.verdicts.ways
    return len(ways), max((len(way.values) for way in ways.values()), default=0)


def test_threads_that_ask_one_slot_hear_what_the_key_as_they_see_it_allows(often):
    """Two versions of a key that allow opposite things, and more ways and values than are kept."""
    old, new = object(), object()
    parity = {id(old): 0, id(new): 1}
    slot, wrong = Slot(), []

    def allowed(key, context):
        return int(context["n"]) % 2 == parity[id(key)]

    def ask(seed):
        for turn in range(1500):
            number = (seed * 7 + turn * 13) % 200
            context = Asked(n=str(number), **{f"k{i}": str(i) for i in range(8)})
            names = ("n", *(f"k{i}" for i in range(1 + number % 7)))
            key = old if (seed + turn) % 3 else new
            if passes(slot, key, context, allowed, names) is not allowed(key, context):
                wrong.append((key, context))
            ways, values = sizes(slot)
            if ways > room._MOST_WAYS or values > room._MOST_VALUES:
                wrong.append((ways, values))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask, seed) for seed in range(8)]:
            done.result()
    assert wrong == []


def test_slots_are_bounded():
    room.slot.cache_clear()
    standing = object()
    for number in range(room._MOST_SLOTS + 500):
        room.slot(standing, "kms:Encrypt", str(number))
    assert room.slot.cache_info().currsize == room._MOST_SLOTS
    room.slot.cache_clear()


# ------------------------------------------------------------------ changes under load

ROOT = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:*", "Resource": "*"}
MAY = {"p": allow("kms:Encrypt")}
ROUNDS, THREADS = 10, 4


class ByIdentityPolicy:
    """A permission that a Deny in a policy of the user takes away."""

    def __init__(self, server, user, key):
        self.iam, self.name = server.client("iam"), user.arn.rpartition("/")[2]

    def take(self):
        document = json.dumps(deny("kms:Encrypt"))
        self.iam.put_user_policy(UserName=self.name, PolicyName="no", PolicyDocument=document)

    def give(self):
        self.iam.delete_user_policy(UserName=self.name, PolicyName="no")


class ByKeyPolicy:
    """A permission that a Deny in the key policy takes away."""

    def __init__(self, server, user, key):
        self.kms, self.key = server.client("kms"), key
        self.no = {**ROOT, "Effect": "Deny", "Principal": {"AWS": user.arn}, "Action": "kms:Encrypt"}

    def put(self, *statements):
        self.kms.put_key_policy(KeyId=self.key, Policy=json.dumps({"Statement": [ROOT, *statements]}))

    def take(self):
        self.put(self.no)

    def give(self):
        self.put()


class ByGrant:
    """A permission that a grant gives until it is revoked."""

    def __init__(self, server, user, key):
        self.kms = server.client("kms")
        self.terms = {"KeyId": key, "GranteePrincipal": user.arn, "Operations": ["Encrypt"]}
        self.give()

    def take(self):
        self.kms.revoke_grant(KeyId=self.terms["KeyId"], GrantId=self.grant)

    def give(self):
        self.grant = self.kms.create_grant(**self.terms)["GrantId"]


class Askers:
    """Threads that ask all the time, and the windows in which the permission surely is there or away."""

    def __init__(self, key):
        self.key, self.over = key, False
        self.window = 0
        """Moved before and after each change: there in window 0, away in 2, in 4 there again; between, either."""

    def ask(self, client):
        """The answers of one client, by window."""
        heard = Counter()
        while not self.over:
            before, allowed = self.window, may(client, self.key)
            if before == self.window:
                heard[before % 4, allowed] += 1
        return heard


def may(client, key):
    try:
        client.encrypt(KeyId=key, Plaintext=b"x")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


@pytest.mark.parametrize(("way", "policies"), [(ByIdentityPolicy, MAY), (ByKeyPolicy, MAY), (ByGrant, {})])
def test_what_is_taken_away_is_gone_for_every_request_that_begins_later(server, way, policies):
    user = server.user(way.__name__, policies)
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    change, askers, own = way(server, user, key), Askers(key), user.client("kms")
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(askers.ask, user.client("kms")) for _ in range(THREADS)]
        try:
            for _ in range(ROUNDS):
                assert may(own, key)
                askers.window += 1
                change.take()
                askers.window += 1
                assert not may(own, key)
                askers.window += 1
                change.give()
                askers.window += 1
        finally:
            askers.over = True
    heard = sum((each.result() for each in running), Counter())
    assert heard[2, True] == 0
    assert heard[0, False] == 0
    assert heard[0, True]
    assert heard[2, False]
