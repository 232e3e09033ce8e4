"""`keystead policy simulate`: a case in JSON to an answer in JSON, through the evaluator that serves requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from keystead import errors
from keystead.policy.case import Case, InvalidCase, read
from keystead.policy.document import NumberText, decode
from keystead.policy.evaluate import decide
from keystead.policy.readings import strictest


def simulate(line: str | bytes) -> bytes:
    """The answer to one case, a JSON object on one line without its end.

    Every line has an answer: what is wrong with a case is told in its `error` member.
    """
    try:
        case = decode(line)
    except ValueError:
        return _answer(None, _error("InvalidCase", "The case is not valid JSON."))
    if not isinstance(case, Mapping):
        return _answer(None, _error("InvalidCase", "The case is not a JSON object."))
    return _answer(case.get("id"), _decided(case))


def _decided(members: Mapping[str, Any]) -> dict[str, Any]:
    try:
        case = read(members)
    except InvalidCase as error:
        return _error("InvalidCase", str(error))
    except errors.MalformedPolicyDocument as error:
        return _error("MalformedPolicy", str(error))
    return _decision(case)


def _decision(case: Case) -> dict[str, Any]:
    found = [(decide(reading.request, case.policies), reading.derived) for reading in case.readings]
    decision, context = strictest(found, lambda one: one[0].effect)
    answer = {"decision": decision.effect, "decidedBy": msgspec.to_builtins(decision.decided_by)}
    if decision.message is not None:
        answer["message"] = decision.message
    if context is not None:
        answer["context"] = context
    return answer


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


def _answer(identity: Any, members: dict[str, Any]) -> bytes:
    """The answer with the case's id, a number as it was written.

    Written in ASCII: a case may hold characters (lone surrogates) that UTF-8 has no form for.
    """
    named = str(identity) if isinstance(identity, NumberText) else _json(_name(identity))
    return f'{{"id":{named},{_json(members)[1:]}'.encode("ascii")


def _name(identity: Any) -> str | None:
    return identity if isinstance(identity, str) else None


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
