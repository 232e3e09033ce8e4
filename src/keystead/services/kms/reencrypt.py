"""ReEncrypt: from one key to another without the plaintext leaving the server."""

from __future__ import annotations

from keystead.api import Call, Target, operation
from keystead.keys import spec as specs
from keystead.keys.state import check_state
from keystead.services.kms.cryptography import (
    DEFAULT_ALGORITHM,
    check_ciphertext_key,
    ciphertext_target,
    given_blob,
    ignores_ciphertext,
    material_shown,
    seal,
    unseal,
)
from keystead.services.kms.targets import named_key
from keystead.services.kms.use import check_dry_run, check_grant_tokens, check_use, is_slow_with_two
from keystead.wire.models import kms as wire


def _targets(call: Call, request: wire.ReEncryptRequest) -> tuple[Target, ...]:
    source_facts: dict[str, str | list[str]] = {
        "kms:EncryptionAlgorithm": request.source_encryption_algorithm or DEFAULT_ALGORITHM
    }
    destination_facts: dict[str, str | list[str]] = {
        "kms:EncryptionAlgorithm": request.destination_encryption_algorithm or DEFAULT_ALGORITHM
    }
    source = ciphertext_target(
        call,
        "kms:ReEncryptFrom",
        given_blob(request, request.source_key_id),
        request.source_key_id,
        request.source_encryption_context,
        source_facts,
    )
    destination = named_key(
        call,
        "kms:ReEncryptTo",
        request.destination_key_id or "",
        aliases=True,
        context=request.destination_encryption_context,
        facts=destination_facts,
    )
    same = "true" if source.found.arn == destination.found.arn else "false"
    for facts in (source_facts, destination_facts):
        facts["kms:ReEncryptOnSameKey"] = same
    return (source, destination)


@operation("ReEncrypt", targets=_targets, slow=is_slow_with_two, tracks_use=True)
def re_encrypt(
    call: Call, request: wire.ReEncryptRequest, source: Target, destination: Target
) -> wire.ReEncryptResponse:
    """Decrypt under the source key and encrypt under the destination key."""
    old, new = source.found, destination.found
    old_algorithm = request.source_encryption_algorithm or DEFAULT_ALGORITHM
    new_algorithm = request.destination_encryption_algorithm or DEFAULT_ALGORITHM
    blob = request.ciphertext_blob or b""  # the key was found by it already, unless it is not needed
    check_grant_tokens(call, request.grant_tokens)
    check_state("ReEncryptFrom", old.state, old.arn)
    if request.source_key_id is not None:
        check_ciphertext_key(call, source, blob)
    check_use(call, None, old, "ReEncryptFrom", specs.ENCRYPT_DECRYPT, old_algorithm)
    check_use(call, None, new, "ReEncryptTo", specs.ENCRYPT_DECRYPT, new_algorithm)
    if ignores_ciphertext(request):
        check_dry_run(dry_run=True)
    plaintext, old_material = unseal(call, old, old_algorithm, blob, request.source_encryption_context)
    sealed = seal(call, new, new_algorithm, plaintext, request.destination_encryption_context)
    check_dry_run(request.dry_run)
    return wire.ReEncryptResponse(
        ciphertext_blob=sealed,
        source_key_id=old.arn,
        key_id=new.arn,
        source_encryption_algorithm=old_algorithm,
        destination_encryption_algorithm=new_algorithm,
        source_key_material_id=old_material,
        destination_key_material_id=material_shown(new, new.current_id),
    )


OPERATIONS = (re_encrypt,)
