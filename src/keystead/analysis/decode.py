"""From a box back to a request that the enforcing evaluator takes: the witness."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from keystead import arn
from keystead.analysis.actions import spelt
from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import absent_for, examples, has_key, of_caller
from keystead.analysis.solver import Box
from keystead.analysis.space import ACTION, CALLER, RESOURCE, Space
from keystead.errors import AnalysisFault, Undecided
from keystead.policy import variables
from keystead.policy.document import Condition
from keystead.policy.request import AuthorizationRequest, Principal, ResourceDescription, Value

Confirms = Callable[[AuthorizationRequest], bool]
"""Whether the enforcing evaluator says of a request what the analysis says."""

_TRIES: Final = 200
_EC: Final = "kms:encryptioncontext:"


def confirmed(
    space: Space, boxes: Iterator[Box], confirms: Confirms, budget: Budget
) -> AuthorizationRequest | None:
    """A request in one of the boxes, which the enforcing evaluator has confirmed; None if there is no box.

    Raises:
        AnalysisFault: the evaluator contradicts the analysis.
        Undecided: where variables in policies join keys, no request was found that is confirmed.
    """
    doubtful = bool(space.open_tests or space.open_resources)
    work = 20 + len(space.keys) + 20 * (len(space.open_tests) + len(space.open_resources))
    seen = False
    for box in boxes:
        seen = True
        for request in itertools.islice(_requests(space, box), _TRIES if doubtful else 1):
            budget.spend(work)
            if confirms(request):
                return request
        if not doubtful:
            raise AnalysisFault(f"The evaluator does not confirm a witness of the analysis: {request}")
    if seen:
        raise Undecided("It depends on policy variables, and no request was found that proves it.")
    return None


def _requests(space: Space, box: Box) -> Iterator[AuthorizationRequest]:
    """Requests of the box, the likeliest first; more than one only where variables join keys."""
    chosen = {
        key: [space.keys[key].members[index] for index in bits(box[space.place[key]])] for key in space.keys
    }
    resources = [one for index in bits(box[RESOURCE]) for one in space.resources.members[index]]
    first = {key: members[0][0] for key, members in chosen.items()}
    actions = [one for index in bits(box[ACTION]) for one in space.actions.members[index]]
    callers = [space.callers.members[index][0] for index in bits(box[CALLER])]
    action = min(actions, key=lambda one: _missing(one, resources[0], first))
    yield _request(callers[0], action, resources[0], {**first, **space.universe.facts})
    yield from _joined(space, chosen, callers, action, resources)


def bits(classes: int) -> Iterator[int]:
    """The numbers of the classes."""
    while classes:
        low = classes & -classes
        yield low.bit_length() - 1
        classes ^= low


def _missing(action: str, resource: str, context: dict[str, Value | None]) -> int:
    """How many keys of the context the server would not give for the action."""
    return sum(value is not None and not has_key(action, resource, key) for key, value in context.items())


def _request(
    caller: Principal, action: str, resource: str, context: dict[str, Value | None]
) -> AuthorizationRequest:
    given = {key: value for key, value in context.items() if value is not None}
    pairs = {key.removeprefix(_EC): value for key, value in given.items() if key.startswith(_EC)}
    named = arn.split(resource)
    account = caller.account if named is None else named.account
    return AuthorizationRequest(
        principal=caller,
        action=spelt(action),
        resource=resource,
        account=account,
        context=given | of_caller(caller),
        description=ResourceDescription(trust="keyPolicy" if ":key/" in resource else "standard"),
        encryption_context={name: value for name, value in pairs.items() if isinstance(value, str)},
    )


# --------------------------------------------------------------------------- variables


def _joined(
    space: Space,
    chosen: dict[str, list[list[Value | None]]],
    callers: list[Principal],
    action: str,
    resources: list[str],
) -> Iterator[AuthorizationRequest]:
    """Requests in which keys that variables join have each other's values, or have not."""
    joined = {test.key for test in space.open_tests} & set(chosen)
    for test in space.open_tests:
        joined |= {name for name in _variables(test.condition) if name in chosen}
    names = sorted(joined)
    pinned = {**space.universe.known, **space.universe.facts}
    options = [[one for members in chosen[name] for one in members[:2]] for name in names]
    for caller, resource in itertools.product(callers[:8], resources[:8]):
        beside = _beside(space, action, resource, caller)
        for picked in itertools.islice(itertools.product(*options), 64):
            context = {key: members[0][0] for key, members in chosen.items()}
            context |= {**dict(zip(names, picked, strict=True)), **pinned}
            context = {**beside, **context}
            yield _request(caller, action, resource, context)
            for target in _expanded_resources(space, context, caller):
                yield _request(caller, action, target, context)
            for changed in _equalled(space, context, caller):
                yield _request(caller, action, resource, {**changed, **pinned})


def _beside(space: Space, action: str, resource: str, caller: Principal) -> dict[str, Value | None]:
    """Some value of each key that stands in variables only, where such a request can have it."""
    named = {name for test in space.open_tests for name in _variables(test.condition)}
    return {
        name: next(iter(examples(name)), "a")
        for name in sorted(named - set(of_caller(caller)))
        if has_key(action, resource, name) and caller.type not in absent_for(name)
    }


def _variables(condition: Condition) -> set[str]:
    return {
        part.key
        for value in condition.values
        for part in variables.parse(value, wild=True)
        if isinstance(part, variables.Variable)
    }


def _equalled(
    space: Space, context: dict[str, Value | None], caller: Principal
) -> Iterator[dict[str, Value | None]]:
    """The context with the keys of open tests set to what their values become in it, and the reverse."""
    known = {key: value for key, value in context.items() if value is not None} | of_caller(caller)
    for test in space.open_tests:
        if test.key not in context:
            continue
        for value in test.condition.values:
            template = variables.parse(value, wild=True)
            tokens = variables.expand(template, known)
            if tokens is not None:
                text = "".join(token if isinstance(token, str) else "a" for token in tokens)
                yield context | {test.key: text}
            own = context[test.key]
            if (
                len(template) == 1
                and isinstance(template[0], variables.Variable)
                and template[0].key in context
            ):
                yield context | {template[0].key: own}


def _expanded_resources(space: Space, context: dict[str, Value | None], caller: Principal) -> Iterator[str]:
    known = {key: value for key, value in context.items() if value is not None} | of_caller(caller)
    for test in space.open_resources:
        for entry in test.entries:
            tokens = variables.expand(variables.parse(entry, wild=True), known)
            if tokens is not None:
                yield "".join(token if isinstance(token, str) else "a" for token in tokens)
