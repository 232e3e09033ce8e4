"""GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial, and the expiry of imported material.

Source: AWS KMS Developer Guide, "Importing key material for AWS KMS keys".
"""

from __future__ import annotations

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.crypto.secret import SECRET_ACCESS, Secret
from keystead.keyring import Keyring
from keystead.keyring.imports import make_offer, open_offer
from keystead.keys import Key, importing
from keystead.keys.multiregion import check_leads, has_replicas, is_replica
from keystead.keys.state import check_state
from keystead.services.kms.events import service_event
from keystead.services.kms.relatives import mature, spread, store_key
from keystead.services.kms.tables import KEYS, key_place
from keystead.services.kms.targets import on_key
from keystead.storage import Transaction
from keystead.wire.models import kms as wire

DUE = "expire-material"

OFFER_LIFE = 86_400.0
"""Seconds that a wrapping key and its token are good for."""

_OAEP = frozenset({"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"})
_HYBRID = frozenset({"RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"})
_WRAPPING_SPECS = frozenset({"RSA_2048", "RSA_3072", "RSA_4096"})

# ---------------------------------------------------------------- GetParametersForImport


def _wrapping_facts(_call: Call, request: wire.GetParametersForImportRequest) -> dict[str, str | list[str]]:
    return {
        "kms:WrappingAlgorithm": request.wrapping_algorithm or "",
        "kms:WrappingKeySpec": request.wrapping_key_spec or "",
    }


def _check_wrapping(key: Key, algorithm: str, wrapping_spec: str) -> None:
    """Return if material for `key` can be wrapped in that way.

    Raises:
        errors.UnsupportedOperation: PKCS #1 v1.5 and SM2, or material that does not fit.
    """
    if algorithm not in _OAEP | _HYBRID or wrapping_spec not in _WRAPPING_SPECS:
        raise errors.UnsupportedOperation(
            f"Wrapping algorithm {algorithm} with wrapping key spec {wrapping_spec} is not supported."
        )
    too_long = key.spec.startswith("RSA_") or (key.spec == "ECC_NIST_P521" and wrapping_spec == "RSA_2048")
    if algorithm in _OAEP and too_long:
        raise errors.UnsupportedOperation(
            f"Wrapping algorithm {algorithm} with wrapping key spec {wrapping_spec} cannot wrap key material of "
            f"key spec {key.spec}."
        )


@operation(
    "GetParametersForImport",
    targets=on_key("GetParametersForImport", facts=_wrapping_facts),
    slow=always,
)
def get_parameters_for_import(
    call: Call, request: wire.GetParametersForImportRequest, target: Target
) -> wire.GetParametersForImportResponse:
    """Return a fresh public wrapping key and the token that goes with it, good for 24 hours."""
    key = target.found
    algorithm, wrapping_spec = request.wrapping_algorithm or "", request.wrapping_key_spec or ""
    check_state("GetParametersForImport", key.state, key.arn)
    importing.check_external(key)
    _check_wrapping(key, algorithm, wrapping_spec)
    expires = call.now + OFFER_LIFE
    public, token = make_offer(call.keyring, key.arn, wrapping_spec, algorithm, expires)
    return wire.GetParametersForImportResponse(
        key_id=key.arn, import_token=token, public_key=public, parameters_valid_to=expires
    )


# --------------------------------------------------------------------- ImportKeyMaterial


def _import_facts(_call: Call, request: wire.ImportKeyMaterialRequest) -> dict[str, str | list[str]]:
    facts: dict[str, str | list[str]] = {}
    if request.expiration_model is not None:
        facts["kms:ExpirationModel"] = request.expiration_model
    if request.valid_to is not None:
        facts["kms:ValidTo"] = str(int(request.valid_to))
    return facts


def _unwrapped(call: Call, key: Key, request: wire.ImportKeyMaterialRequest) -> Secret:
    """The material that the request brings.

    Raises:
        errors.InvalidImportToken, errors.ExpiredImportToken: the token is another key's, or too old.
        errors.InvalidCiphertext: the material was not wrapped with the token's public key.
        errors.IncorrectKeyMaterial: it is not of the key's spec.
    """
    try:
        offer = open_offer(call.keyring, key.arn, request.import_token or b"")
    except errors.DecryptionFailed:
        raise errors.InvalidImportToken(
            "The import token is invalid or was issued for another KMS key."
        ) from None
    if offer.expires <= call.now:
        raise errors.ExpiredImportToken("The import token has expired.")
    try:
        return offer.unwrap(request.encrypted_key_material or b"", key.spec)
    except errors.DecryptionFailed:
        raise errors.InvalidCiphertext from None
    except errors.BadKeyMaterial as error:
        raise errors.IncorrectKeyMaterial(
            f"The key material is not valid for key spec {key.spec}: {error}."
        ) from None


def _check_named(request: wire.ImportKeyMaterialRequest, material_id: str) -> None:
    if request.key_material_id not in {None, material_id}:
        raise errors.IncorrectKeyMaterial(
            f"The key material does not match the key material ID {request.key_material_id}."
        )


def _store(call: Call, key: Key, imported: Key) -> None:
    """Store a key after an import, and tell its relatives."""
    if has_replicas(imported) and {m.id for m in imported.materials} != {m.id for m in key.materials}:
        spread(call.tx, call.keyring, imported)
    else:
        mature(call.tx, call.keyring, store_key(call.tx, imported))


@operation(
    "ImportKeyMaterial", targets=on_key("ImportKeyMaterial", facts=_import_facts), changes=True, slow=always
)
def import_key_material(
    call: Call, request: wire.ImportKeyMaterialRequest, target: Target
) -> wire.ImportKeyMaterialResponse:
    """Take in key material that was made elsewhere, for the first time or again."""
    key = target.found
    check_state("ImportKeyMaterial", key.state, key.arn)
    importing.check_external(key)
    expiry = importing.check_expiry(request.expiration_model, request.valid_to, call.now)
    import_type = importing.check_import_type(
        key, request.import_type, request.key_material_id, request.key_material_description
    )
    if import_type == importing.NEW:
        check_leads(key)
    material = _unwrapped(call, key, request).expose(SECRET_ACCESS)
    material_id = call.keyring.identify(key.path, material)
    _check_named(request, material_id)
    imported = importing.with_imported(
        key,
        material_id,
        import_type,
        expiry,
        request.key_material_description,
        replicated=has_replicas(key),
    )
    call.keyring.adopt(call.tx, key.path, key.spec, material)
    if expiry.valid_to is not None:
        put_due(call.tx, expiry.valid_to, DUE, key_place(key))
    _store(call, key, imported)
    return wire.ImportKeyMaterialResponse(
        key_id=key.arn, key_material_id=material_id if key.key_spec.is_encryption_key else None
    )


# ------------------------------------------------------------- DeleteImportedKeyMaterial


def remove_material(tx: Transaction, keyring: Keyring, key: Key, material_id: str) -> Key:
    """The key, stored without the bytes of that material.

    Material that was never current is forgotten, by a primary key's replicas too (DeleteImportedKeyMaterial:
    "you'll also be deleting the key materials for the replica Region keys").
    """
    keyring.destroy(tx, key.path, material_id)
    if is_replica(key):
        # What the primary offers for rotation stays known here, to be imported again.
        return store_key(tx, importing.awaiting(key, material_id))
    kept = importing.without_bytes(key, material_id)
    if kept.material(material_id) is None:
        spread(tx, keyring, kept)
        return kept
    return store_key(tx, kept)


def _named_material(key: Key, material_id: str | None) -> str | None:
    """The id of the material that a request means: the current one if it names none."""
    if material_id is None:
        return key.current_id
    if not key.key_spec.is_encryption_key:
        raise errors.UnsupportedOperation(
            "KeyMaterialId is supported only for symmetric encryption KMS keys."
        )
    if key.material(material_id) is None:
        raise errors.NotFound(f"Key material (id: {material_id}) is not associated with KMS key {key.arn}.")
    return material_id


@operation("DeleteImportedKeyMaterial", targets=on_key("DeleteImportedKeyMaterial"), changes=True)
def delete_imported_key_material(
    call: Call, request: wire.DeleteImportedKeyMaterialRequest, target: Target
) -> wire.DeleteImportedKeyMaterialResponse:
    """Destroy imported material at once; the key waits for it to be imported again."""
    key = target.found
    check_state("DeleteImportedKeyMaterial", key.state, key.arn)
    importing.check_external(key)
    material_id = _named_material(key, request.key_material_id)
    if material_id is not None:
        remove_material(call.tx, call.keyring, key, material_id)
    return wire.DeleteImportedKeyMaterialResponse(
        key_id=key.arn, key_material_id=material_id if key.key_spec.is_encryption_key else None
    )


# ---------------------------------------------------------------------------- the expiry


def expire_material(keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """Destroy what has expired of the key at `subject`."""
    key = call.tx.get(KEYS, subject)
    gone = () if key is None else importing.expired(key, call.now)
    events: list[DueEvent] = []
    for material_id in gone:
        assert key is not None
        key = remove_material(call.tx, keyring, key, material_id)
        events.append(service_event("DeleteExpiredKeyMaterial", key, keyMaterialId=material_id))
    return events


OPERATIONS = (get_parameters_for_import, import_key_material, delete_imported_key_material)
