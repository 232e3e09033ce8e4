"""A KMS key as it is after CreateKey, for tests of what becomes of keys."""

import msgspec

from keystead.keys import Key, Material

_PLAIN = Key(
    account="111122223333",
    region="us-east-1",
    id="1234abcd-12ab-34cd-56ef-1234567890ab",
    spec="SYMMETRIC_DEFAULT",
    usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS",
    state="Enabled",
    created=0.0,
    policy="{}",
    materials=(Material(id="a" * 64),),
)


def key_of(**changes):
    """The key, with these fields changed."""
    return msgspec.structs.replace(_PLAIN, **changes)
