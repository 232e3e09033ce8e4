"""Any text at all: a simulated case has one answer, and a key policy that passes the check can be compiled.

Run with `python fuzz/fuzz_policy.py [libFuzzer options] [corpus directory]`; needs atheris.
"""

from __future__ import annotations

import json
import sys

from keystead.errors import LimitExceeded, MalformedPolicyDocument
from keystead.policy import compile_key_policy, validate_key_policy
from keystead.policy.simulate import simulate

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234"


def one_input(data: bytes) -> None:
    """Raises only if a promise is broken."""
    answers = [simulate(data), simulate(case_around(data))]
    if any(b"\n" in answer or "id" not in json.loads(answer) for answer in answers):
        raise AssertionError("not one answer on one line")
    text = data.decode("utf-8", "replace")
    try:
        validate_key_policy(text)
    except (LimitExceeded, MalformedPolicyDocument):
        return
    compile_key_policy(text)


def case_around(data: bytes) -> str:
    """A case in which the input is every policy there is."""
    policy = {"document": data.decode("utf-8", "surrogateescape")}
    case = {
        "principal": {"type": "user", "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice"},
        "request": {
            "action": "kms:Decrypt",
            "resource": KEY,
            "resourceAccount": ACCOUNT,
            "context": {"aws:x": "a", "aws:y": ["a", "b"]},
        },
        "resourcePolicy": policy,
        "identityPolicies": [policy],
    }
    return json.dumps(case)


def main() -> None:
    """Fuzz until stopped."""
    import atheris  # noqa: PLC0415 -- tests run `one_input` without it

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
