"""What every use of a key checks, in AWS's order: state, usage, algorithm, and at the end DryRun."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target
from keystead.crypto.spec import KEY_TYPES
from keystead.keys import Key
from keystead.keys.state import OPERATION_STATES, check_state

GRANT_TOKEN = "grant"  # noqa: S105  the kind of a sealed token, not a secret
_SLOW: Final = frozenset(spec for spec, kind in KEY_TYPES.items() if kind.slow)


def is_slow(_request: Any, targets: tuple[Target, ...]) -> bool:
    """True when the key of the call has a spec whose operations take milliseconds."""
    key = targets[0].key
    return key is not None and key.spec in _SLOW


def is_slow_with_two(request: Any, targets: tuple[Target, ...]) -> bool:
    """The same for a call that uses two keys."""
    return is_slow(request, targets) or is_slow(request, targets[1:])


def check_use(
    call: Call, tokens: Sequence[str] | None, key: Key, operation: str, usage: str, algorithm: str | None
) -> None:
    """Return if the grant tokens of a request are ours, and `key` can perform `operation` with `algorithm` now.

    Raises:
        errors.InvalidGrantToken: one of them is not.
        errors.Disabled, errors.InvalidState: the key's state refuses it.
        errors.InvalidKeyUsage: the key has another usage, or its spec lacks the algorithm.
    """
    if tokens:
        check_grant_tokens(call, tokens)
    if key.state not in OPERATION_STATES[operation]:
        check_state(operation, key.state, key.arn)  # it knows why
    if key.usage != usage:
        raise errors.InvalidKeyUsage(
            f"{key.arn} key usage is {key.usage} which is not valid for {operation}."
        )
    if algorithm is not None and algorithm not in key.algorithms:
        raise errors.InvalidKeyUsage(f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")


def check_dry_run(dry_run: bool | None) -> None:
    """Return unless the caller only wants to know whether the call would succeed.

    Raises:
        errors.DryRunSucceeded: it would.
    """
    if dry_run:
        raise errors.DryRunSucceeded("The request would have succeeded, but the DryRun option is set.")


def check_grant_tokens(call: Call, tokens: Sequence[str] | None) -> None:
    """Return if each token was made by this deployment; grants count at once, so tokens add nothing.

    Raises:
        errors.InvalidGrantToken: one was not.
    """
    for token in tokens or ():
        open_grant_token(call, token)


def open_grant_token(call: Call, token: str) -> str:
    """The place of the grant that `token` was given out for.

    Raises:
        errors.InvalidGrantToken: it is not a token of ours.
    """
    try:
        sealed = base64.b64decode(token, validate=True)
        return call.keyring.open_token(GRANT_TOKEN, sealed).decode()
    except (binascii.Error, ValueError, errors.DecryptionFailed):
        raise errors.InvalidGrantToken("The grant token is invalid.") from None
