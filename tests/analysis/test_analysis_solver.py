"""A second procedure, an SMT solver, on random pairs of policies."""

import random

import differential
import random_policies

from keystead.analysis import Universe, new_access
from keystead.policy.request import Principal

PAIRS = 150
LIMIT = 2000  # milliseconds that the solver may take for one pair


def as_principal(caller):
    fields = {"type": "type", "arn": "arn", "account": "account", "roleArn": "role_arn", "issuerArn": "issuer_arn",
              "service": "service", "provider": "provider"}  # fmt: skip
    return Principal(**{fields[name]: value for name, value in caller.items()})


def test_agrees_with_an_smt_solver():
    import with_z3

    callers = random_policies.UNIVERSE["callers"][::5]
    universe = Universe(callers=tuple(map(as_principal, callers)))
    answered, unknown, seed = 0, 0, 0
    while answered + unknown < PAIRS:
        seed += 1
        old, new = random_policies.pair(random.Random(seed))
        if not with_z3.speaks(old, new):
            continue
        second = with_z3.new_access(old, new, callers, LIMIT)
        if second is None:
            unknown += 1
            continue
        answered += 1
        first = new_access(differential.compiled(old), differential.compiled(new), universe)
        assert bool(first) is second, seed
    assert answered > PAIRS * 0.8
