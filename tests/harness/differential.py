"""The engine and the brute force on one pair of policies: do they say the same?"""

import json

import brute_force
import random_policies

from keystead.analysis import Universe, new_access
from keystead.policy import compile_policy, parse


def compiled(policy):
    return compile_policy(parse(json.dumps(policy)))


def as_caller(principal):
    told = {
        "type": principal.type, "arn": principal.arn, "account": principal.account, "roleArn": principal.role_arn,
        "issuerArn": principal.issuer_arn, "service": principal.service, "provider": principal.provider,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def disagreement(old, new):
    """What is wrong, or None; the engine's witness is judged by the brute force's own evaluator."""
    found = new_access(compiled(old), compiled(new), Universe())
    for one in found:
        seen = one.witness
        request = {
            "caller": as_caller(seen.principal), "action": seen.action, "resource": seen.resource,
            "context": dict(seen.context),
        }  # fmt: skip
        if not brute_force.admits(new, request) or brute_force.admits(old, request):
            return f"the witness {request} is none"
    if not found:
        missed = brute_force.new_access(old, new, random_policies.UNIVERSE)
        if missed is not None:
            return f"the engine proves what {missed} refutes"
    return None
