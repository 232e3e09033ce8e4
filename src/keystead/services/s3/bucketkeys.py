"""Bucket keys: one key of KMS for many objects of a bucket, so that few of them ask KMS.

Each object still has a data key of its own, derived from the bucket's with a random salt. Amazon S3 goes on using a bucket
key for a while after its KMS key was disabled or its caller denied; here each use is decided anew, by the same
policies and grants and the key's state, and only the question to KMS itself is saved. In any doubt KMS is asked,
so that a refusal is KMS's own and has its event.

Source: Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".
"""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target
from keystead.api.authorize import check
from keystead.api.call import Via
from keystead.api.held import Held, HeldSecrets
from keystead.crypto.derive import subkey
from keystead.crypto.secret import SECRET_ACCESS, Secret
from keystead.keys import KeyState

SECONDS: Final = 300
USES: Final = 10_000
_LABEL: Final = "s3 bucket key"
_ALIAS: Final = "alias/"
_FACTS: Final = {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def for_new(call: Call, named: str, context: dict[str, str], principal: str) -> Held | None:
    """The key that new objects of the bucket get theirs from, if one is held that the caller may use now."""
    name = _name(call, named, context)
    held = _held(call).get(name, call.now, USES)
    if held is None or _may(call, held.owner, "GenerateDataKey", context, principal, named):
        return held
    _held(call).forget(name)
    return None


def for_old(call: Call, wrapped: bytes, owner: str, context: dict[str, str], principal: str) -> Held | None:
    """The key that an object's was derived from, if it is held and the caller may use it now."""
    held = _held(call).get(wrapped, call.now)
    if held is None or _may(call, owner, "Decrypt", context, principal, ""):
        return held
    _held(call).forget(wrapped)
    return None


def hold_new(call: Call, named: str, context: dict[str, str], held: Held) -> None:
    """Hold the key for new objects, and for reading them."""
    _held(call).put(_name(call, named, context), held)
    hold_old(call, held)


def hold_old(call: Call, held: Held) -> None:
    """Hold the key for reading what has its data keys from it."""
    _held(call).put(held.wrapped, held)


def held_now(call: Call, plaintext: bytes, wrapped: bytes, owner: str) -> Held:
    """What KMS gave, to be held from now on."""
    return Held(Secret(plaintext), wrapped, owner, call.now + SECONDS)


def derived(held: Held, salt: bytes, where: str) -> Secret:
    """The data key of the object at `where`."""
    return Secret(subkey(held.secret.expose(SECRET_ACCESS), _LABEL, salt + where.encode()))


def _held(call: Call) -> HeldSecrets:
    assert call.objects is not None
    return call.objects.secrets


def _name(call: Call, named: str, context: dict[str, str]) -> str:
    """What tells bucket keys apart: a name of a key means another one in another account or Region."""
    pairs = sorted(context.items())
    return repr((call.account, call.region, named, pairs))


def _may(
    call: Call, key_arn: str, operation: str, context: dict[str, str], principal: str, named: str
) -> bool:
    """Whether KMS would let the caller use the key now, by policies, grants and the key's state."""
    key = call.relations.key(call.tx, key_arn)
    if key is None or key.state != KeyState.ENABLED:
        return False
    if _ALIAS in named and not any(named.endswith(alias) for alias in call.relations.aliases(call.tx, key)):
        return False
    through = msgspec.structs.replace(call, operation=operation, via=Via((principal,), call.region))
    target = Target(f"kms:{operation}", key.arn, key.account, key=key, context=context, facts=_FACTS)
    try:
        check(through, target)
    except errors.AccessDenied:
        return False
    return True
