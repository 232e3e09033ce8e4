"""Callers of whom no policy at hand tells any other caller apart.

The twin of `policy.principal`. Who calls is one dimension: the keys that the caller tells (`aws:PrincipalArn`
and its kin) are functions of it, so that a policy that contradicts itself about the caller is seen to. What a
principal element makes of a caller is asked of the enforcing code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from keystead.analysis import pattern, shapes
from keystead.analysis.budget import Budget
from keystead.analysis.condition import Test, tells
from keystead.analysis.pattern import Glob, Groups
from keystead.arn import split
from keystead.policy.document import EVERYONE, PrincipalElement
from keystead.policy.pattern import ANY, Tokens
from keystead.policy.principal import UNIQUE_ID, account_of
from keystead.policy.request import Principal

_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")
_SERVICE_KEYS: Final = frozenset({"aws:principalservicename", "aws:principalservicenameslist"})
_ACCOUNT_KEYS: Final = frozenset({"aws:principalaccount", "kms:calleraccount"})
_ACCOUNT_DIGITS: Final = 12
_Person = Literal["user", "role", "federated-user"]


class Named(msgspec.Struct, frozen=True):
    """Whom policies name, by the form of the name."""

    accounts: frozenset[str]
    users: frozenset[str]
    roles: frozenset[str]
    sessions: frozenset[str]
    federated: frozenset[str]
    ids: frozenset[str]
    services: frozenset[str]
    providers: frozenset[str]


def named(elements: Iterable[PrincipalElement]) -> Named:
    """Whom these elements name."""
    every = list(elements)
    entries = {entry for element in every for entry in element.aws if entry != EVERYONE}
    arns = {entry for entry in entries if account_of(entry) is None}

    def like(start: str) -> frozenset[str]:
        return frozenset(arn for arn in arns if arn.split(":", 5)[-1].startswith(start))

    return Named(
        accounts=frozenset(filter(None, map(account_of, entries))),
        users=like("user/"),
        roles=like("role/"),
        sessions=like("assumed-role/"),
        federated=like("federated-user/"),
        ids=frozenset(entry for entry in entries if UNIQUE_ID.fullmatch(entry)),
        services=frozenset(name for element in every for name in element.service if name),
        providers=frozenset(name for element in every for name in element.federated if name),
    )


def callers(
    names: Named, tests: Sequence[Test], budget: Budget, hints: Iterable[Principal] = ()
) -> list[Principal]:
    """Callers of whom no name and no test of a caller's key tells any other apart; `hints` come first.

    Raises:
        Undecided: they are too many.
    """
    found = _People(names, tests, budget)
    made = [*hints, *found.people(), *found.services(), *found.identities()]
    budget.spend(len(made))
    return made


class _People:
    """The search for callers."""

    def __init__(self, names: Named, tests: Sequence[Test], budget: Budget) -> None:
        self._names = names
        self._tests = tests
        self._budget = budget
        own = [test for test in tests if test.key == "aws:principalarn"]
        self._known_arns = frozenset(text for test in own for text in tells(test)[1].known)
        self._accounts = names.accounts | self._told_accounts()
        of_sessions = [[*_of_session(arn)] for arn in sorted(names.sessions)]
        self._groups = Groups([*self._arn_globs(own), *of_sessions, *self._username_globs()])
        self._arns = self._groups.automaton
        self._tails: dict[tuple[str, int, frozenset[str]], list[tuple[int, str]]] = {}

    # what the patterns are

    def _told_accounts(self) -> frozenset[str]:
        told = (text for key in _ACCOUNT_KEYS for text in self._known(key))
        return frozenset(text for text in told if text.isdigit() and len(text) == _ACCOUNT_DIGITS)

    def _known(self, key: str) -> Iterator[str]:
        for test in self._tests:
            if test.key == key:
                yield from tells(test)[1].known

    def _globs(self, key: str) -> Iterator[tuple[Glob, ...]]:
        """The patterns of each test of a key."""
        for test in self._tests:
            if test.key == key:
                yield tells(test)[1].globs

    def _arn_globs(self, own: Sequence[Test]) -> Iterator[Sequence[Glob]]:
        for test in own:
            yield tells(test)[1].globs
        for key in _ACCOUNT_KEYS:
            for group in self._globs(key):
                yield [pattern.around(_HEAD, pattern.without(inner, ":"), _TAIL) for inner in group]

    def _username_globs(self) -> Iterator[Sequence[Glob]]:
        """Each name by itself, and the patterns of each test."""
        known = [(pattern.glob((text,)),) for text in sorted(set(self._known("aws:username"))) if text]
        for group in (*known, *self._globs("aws:username")):
            names = [pattern.without(one, "/") for one in group]
            heads = (_USER, _USER_WITH_PATH)
            yield [pattern.around(head, name, _NOTHING) for head in heads for name in names]

    # people of accounts

    def people(self) -> Iterator[Principal]:
        """Users, sessions of roles, federated users and root users."""
        names = self._names
        literal = names.users | names.roles | names.federated | self._known_arns
        for arn in sorted(literal):
            yield from self._known_person(arn)
        seen: set[tuple[int, int, str]] = set()
        self._seen: set[tuple[str, str, int]] = set()
        for partition in _PARTITIONS:
            head = self._arns.run(f"arn:{partition}:iam::")
            federated = self._arns.run(f"arn:{partition}:sts::")
            shape = shapes.account_ids(self._accounts)
            for place in self._arns.explore(self._budget, shape, start=head):
                account = place.text
                sts = self._arns.run(account, federated)
                state = (place.state, sts, account if account in self._accounts else "")
                if state not in seen:
                    seen.add(state)
                    yield from self._of_account(partition, account, place.state, sts)

    def _of_account(self, partition: str, account: str, iam: int, sts: int) -> Iterator[Principal]:
        self._budget.spend(8)
        yield Principal(type="root", arn=f"arn:{partition}:iam::{account}:root", account=account)
        for person, state in (("user", iam), ("role", iam), ("federated-user", sts)):
            service = "sts" if person == "federated-user" else "iam"
            head = f"arn:{partition}:{service}::{account}:{person}/"
            for matching, tail in self._names_in(person, state, head):
                same = (person, account if account in self._accounts else "", matching)
                if same not in self._seen:
                    self._seen.add(same)
                    yield from self._person(head + tail)

    def _names_in(self, person: str, state: int, head: str) -> list[tuple[int, str]]:
        """Names, each with the patterns that match, of which no pattern tells any other apart, and which nobody in this account is known by."""
        literal = self._names.users | self._names.roles | self._names.federated | self._known_arns
        taken = frozenset(arn.removeprefix(head) for arn in literal if arn.startswith(head))
        key = (person, state, taken)
        if key not in self._tails:
            after = self._arns.run(f":{person}/", state)
            shape = shapes.NAME if person == "federated-user" else shapes.PATH_AND_NAME
            if taken:
                shape = shapes.both(shape, shapes.other_than(taken))
            found: dict[int, str] = {}
            for reached in self._arns.explore(self._budget, shape, start=after):
                matching = self._groups.matching(reached.state)
                if matching not in found:
                    found[matching] = reached.text
            self._tails[key] = list(found.items())
        return self._tails[key]

    def _known_person(self, arn: str) -> Iterator[Principal]:
        """Who has this ARN; a user also as the one who issues sessions to others."""
        parts = split(arn)
        if parts is None:
            return
        if parts.resource == "root":
            yield Principal(type="root", arn=arn, account=parts.account)
            return
        yield from self._person(arn)
        if arn in self._names.users:
            start = f"arn:{parts.partition}:sts::{parts.account}"
            head = f"{start}:federated-user/"
            for _, tail in self._names_in("federated-user", self._arns.run(start), head):
                yield _federated(head + tail, parts.account, arn)

    def _person(self, arn: str) -> Iterator[Principal]:
        """The people of one ARN; of a role, a session of each name that matters."""
        parts = split(arn)
        if parts is None or len(parts.account) != _ACCOUNT_DIGITS or parts.region:
            return
        kind, _, path = parts.resource.partition("/")
        if not path or path.endswith("/") or (parts.service, kind) not in _PLACES:
            return
        if kind == "user":
            yield Principal(type="user", arn=arn, account=parts.account)
        elif kind == "federated-user":
            for issuer in self._issuers(parts.partition, parts.account):
                yield _federated(arn, parts.account, issuer)
        else:
            yield from self._sessions(arn, parts.partition, parts.account, path.rpartition("/")[2])

    def _issuers(self, partition: str, account: str) -> list[str]:
        """The users of an account who are named, and one who is not."""
        start = f"arn:{partition}:iam::{account}:user/"
        fresh = f"{start}issuer"
        while fresh in self._names.users:
            fresh += "-"
        return [fresh, *sorted(arn for arn in self._names.users if arn.startswith(start))]

    def _sessions(self, role: str, partition: str, account: str, name: str) -> Iterator[Principal]:
        start = f"arn:{partition}:sts::{account}:assumed-role/{name}/"
        known = sorted(arn for arn in self._names.sessions if arn.startswith(start))
        fresh = f"{start}session"
        while fresh in known:
            fresh += "-"
        for arn in (fresh, *known):
            yield Principal(type="assumedRole", arn=arn, account=account, role_arn=role)

    # services, web identities, unique ids

    def services(self) -> Iterator[Principal]:
        """Service principals and web identities."""
        known = {text for key in _SERVICE_KEYS for text in self._known(key)} | self._names.services
        globs = [group for key in _SERVICE_KEYS for group in self._globs(key)]
        for name in pattern.texts(globs, filter(None, known), self._budget, shape=shapes.NAME):
            yield Principal(type="service", service=name)
        for provider in pattern.texts((), self._names.providers, self._budget, shape=shapes.NAME):
            yield Principal(type="webIdentity", provider=provider)

    def identities(self) -> Iterator[Principal]:
        """Whom a policy names by unique id: anybody may have it."""
        if not self._names.ids:
            return
        people = [*self.people()]
        for identity in sorted(self._names.ids):
            kind = "user" if identity.startswith("AIDA") else "assumedRole"
            self._budget.spend(len(people))
            for person in people:
                if person.type == kind:
                    yield msgspec.structs.replace(person, unique_id=identity)
                elif person.type == "federatedUser" and kind == "user":
                    yield msgspec.structs.replace(person, issuer_id=identity)


def _federated(arn: str, account: str, issuer: str) -> Principal:
    return Principal(type="federatedUser", arn=arn, account=account, issuer_arn=issuer)


_PLACES: Final = frozenset({("iam", "user"), ("iam", "role"), ("sts", "federated-user")})


def _arn(*parts: str | int) -> Glob:
    tokens: Tokens = parts
    return pattern.without(pattern.glob(tokens), ":")


_NOTHING: Final = Glob((), (None,))
_HEAD: Final = _arn("arn:", ANY, ":", ANY, "::")
_TAIL: Final = pattern.around(pattern.glob((":",)), pattern.glob((ANY,)), _NOTHING)
_USER: Final = _arn("arn:", ANY, ":iam::", ANY, ":user/")
_USER_WITH_PATH: Final = _arn("arn:", ANY, ":iam::", ANY, ":user/", ANY, "/")


def _of_session(arn: str) -> Iterator[Glob]:
    """The roles that a session with this ARN may be of: the ARN has lost the role's path."""
    parts = split(arn)
    if parts is None:
        return
    head, name = f"arn:{parts.partition}:iam::{parts.account}:role/", parts.resource.split("/")[1]
    yield pattern.glob((f"{head}{name}",))
    yield pattern.glob((head, ANY, f"/{name}"))
