"""Condition keys of KMS's operations, with a call that has a value and one that has another."""

from datetime import UTC, datetime, timedelta

from operations import MAC, SIGNING, WRAPPING, other_public_key
from valued import (
    ALICE,
    ROOT,
    aliased,
    attested,
    by_alias,
    by_alias_arn,
    creating,
    encrypt,
    granting,
    material,
    of,
    put_policy,
    reencrypt,
    replicated,
    rsa,
    serving,
    tagged,
    tags,
    unused_for,
)

IMAGE, OTHER = bytes(range(48)), bytes(range(1, 49))
NOW = datetime.now(UTC)
EARLY, MIDDLE, LATE = (NOW + timedelta(days=days) for days in (100, 200, 300))

SUBSET = {"Constraints": {"EncryptionContextSubset": {"tenant": "acme"}}}
EQUALS = {"Constraints": {"EncryptionContextEquals": {"tenant": "acme"}}}
OTHERS = {"Constraints": {"EncryptionContextSubset": {"tenant": "umbrella"}}}
ACME, UMBRELLA = {"EncryptionContext": {"tenant": "acme"}}, {"EncryptionContext": {"tenant": "umbrella"}}
DIGEST = {**SIGNING, "Message": bytes(32), "MessageType": "DIGEST"}
EXPIRES = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": EARLY}
STAYS = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
AGREEING = {"KeyAgreementAlgorithm": "ECDH", "PublicKey": other_public_key()}
TRAIL, OTHER_TRAIL = (f"arn:aws:cloudtrail:us-east-1:000000000000:trail/{name}" for name in ("a", "b"))

HMAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
ROWS = [
    ("PutKeyPolicy", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "true",
     lambda w: put_policy(w.scene, BypassPolicyLockoutSafetyCheck=True),
     lambda w: put_policy(w.scene, BypassPolicyLockoutSafetyCheck=False)),
    ("CreateKey", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "false",
     creating(BypassPolicyLockoutSafetyCheck=False), creating()),
    ("CreateKey", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "true",
     creating(BypassPolicyLockoutSafetyCheck=True), creating(BypassPolicyLockoutSafetyCheck=False)),
    ("CreateGrant", "StringEquals", "kms:GrantConstraintType", "EncryptionContextSubset",
     granting(**SUBSET), granting(**EQUALS)),
    ("CreateGrant", "StringEquals", "kms:GrantConstraintType", "EncryptionContextEquals",
     granting(**EQUALS), granting()),
    ("CreateGrant", "StringEquals", "kms:EncryptionContext:tenant", "acme", granting(**SUBSET), granting(**OTHERS)),
    ("CreateGrant", "StringEquals", "kms:RetiringPrincipal", ALICE,
     granting(RetiringPrincipal=ALICE), granting(RetiringPrincipal=ROOT)),
    ("CreateGrant", "StringLike", "kms:RetiringPrincipal", "*", granting(RetiringPrincipal=ROOT), granting()),
    ("CreateGrant", "StringEquals", "kms:GranteePrincipal", ALICE, granting(GranteePrincipal=ALICE), granting()),
    ("CreateGrant", "ForAllValues:StringEquals", "kms:GrantOperations", "Decrypt",
     granting(Operations=["Decrypt"]), granting(Operations=["Decrypt", "Encrypt"])),
    ("CreateGrant", "ForAnyValue:StringEquals", "kms:GrantOperations", "Encrypt",
     granting(Operations=["Decrypt", "Encrypt"]), granting(Operations=["Decrypt"])),
    ("CreateGrant", "StringEquals", "kms:GranteeServicePrincipal", "cloudtrail.amazonaws.com",
     serving("cloudtrail.amazonaws.com", TRAIL), serving("logs.amazonaws.com", TRAIL)),
    ("CreateGrant", "Null", "kms:GranteeServicePrincipal", "false", serving("logs.amazonaws.com", TRAIL), granting()),
    ("CreateGrant", "StringEquals", "kms:RetiringServicePrincipal", "logs.amazonaws.com",
     granting(RetiringServicePrincipal="logs.amazonaws.com"), granting(RetiringPrincipal=ROOT)),
    ("CreateGrant", "ArnLike", "kms:GrantConstraintSourceArn", "arn:aws:cloudtrail:*:*:trail/a",
     serving("logs.amazonaws.com", TRAIL), serving("logs.amazonaws.com", OTHER_TRAIL)),
    ("Encrypt", "StringEquals", "kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256",
     rsa("ENCRYPT_DECRYPT", Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256"),
     rsa("ENCRYPT_DECRYPT", Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")),
    ("Sign", "StringLike", "kms:SigningAlgorithm", "RSASSA_PSS_*",
     rsa("SIGN_VERIFY", Message=b"x", SigningAlgorithm="RSASSA_PSS_SHA_256"),
     rsa("SIGN_VERIFY", Message=b"x", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")),
    ("DeriveSharedSecret", "StringEquals", "kms:KeyAgreementAlgorithm", "ECDH", of("agree", **AGREEING), None),
    ("DescribeKey", "StringEquals", "kms:KeySpec", "HMAC_256", of("mac"), of()),
    ("DescribeKey", "StringEquals", "kms:CustomerMasterKeySpec", "HMAC_256", of("mac"), of()),
    ("DescribeKey", "StringEquals", "kms:CustomerMasterKeyUsage", "GENERATE_VERIFY_MAC", of("mac"), of()),
    ("DescribeKey", "StringEquals", "kms:KeyOrigin", "EXTERNAL", of("external"), of()),
    ("DescribeKey", "Bool", "kms:MultiRegion", "true", of("multi"), of()),
    ("DescribeKey", "StringEquals", "kms:MultiRegionKeyType", "PRIMARY", of("multi"), of()),
    ("UpdatePrimaryRegion", "StringEquals", "kms:PrimaryRegion", "eu-west-1",
     replicated("eu-west-1"), replicated("eu-west-2")),
    ("DisableKey", "NumericGreaterThanEquals", "kms:TrailingDaysWithoutKeyUsage", "8", unused_for(8), of()),
    ("ScheduleKeyDeletion", "NumericGreaterThan", "kms:TrailingDaysWithoutKeyUsage", "7", unused_for(8), unused_for(7)),
    ("Encrypt", "StringLike", "kms:RequestAlias", "alias/name-*", by_alias, encrypt()),
    ("Encrypt", "StringLike", "kms:RequestAlias", "alias/name-*", by_alias_arn, aliased),
    ("Encrypt", "ForAnyValue:StringLike", "kms:ResourceAliases", "alias/fixed-*", aliased, by_alias),
    ("Encrypt", "StringEquals", "kms:EncryptionContext:tenant", "acme", encrypt(**ACME), encrypt(**UMBRELLA)),
    ("Encrypt", "StringEquals", "kms:EncryptionContext:tenant", "acme", encrypt(**ACME), encrypt()),
    ("Encrypt", "ForAllValues:StringEquals", "kms:EncryptionContextKeys", "tenant",
     encrypt(**ACME), encrypt(EncryptionContext={"tenant": "acme", "other": "acme"})),
    ("Encrypt", "StringEquals", "aws:ResourceTag/Team", "storage", tagged("storage"), tagged("Storage")),
    ("GenerateDataKeyPair", "StringEquals", "kms:DataKeyPairSpec", "ECC_NIST_P256",
     of(KeyPairSpec="ECC_NIST_P256"), of(KeyPairSpec="ECC_NIST_P384")),
    ("Sign", "StringEquals", "kms:MessageType", "DIGEST", of("sign", **DIGEST), of("sign", **SIGNING)),
    ("Sign", "StringEquals", "kms:KeyUsage", "SIGN_VERIFY", of("sign", **SIGNING), None),
    ("GenerateMac", "StringEquals", "kms:MacAlgorithm", "HMAC_SHA_256", of("mac", **MAC), None),
    ("ReEncrypt", "Bool", "kms:ReEncryptOnSameKey", "true", reencrypt(same=True), reencrypt(same=False)),
    ("EnableKeyRotation", "NumericLessThanEquals", "kms:RotationPeriodInDays", "180",
     of(RotationPeriodInDays=180), of(RotationPeriodInDays=181)),
    ("EnableKeyRotation", "NumericLessThanEquals", "kms:RotationPeriodInDays", "364", of(RotationPeriodInDays=90), of()),
    ("ScheduleKeyDeletion", "NumericGreaterThanEquals", "kms:ScheduleKeyDeletionPendingWindowInDays", "30",
     of(), of(PendingWindowInDays=29)),
    ("ImportKeyMaterial", "StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES",
     material(**EXPIRES), material(**STAYS)),
    ("ImportKeyMaterial", "DateLessThan", "kms:ValidTo", MIDDLE.strftime("%Y-%m-%dT%H:%M:%SZ"),
     material(**EXPIRES), material(**EXPIRES | {"ValidTo": LATE})),
    ("GetParametersForImport", "StringEquals", "kms:WrappingAlgorithm", WRAPPING["WrappingAlgorithm"],
     of("external", **WRAPPING), of("external", **WRAPPING | {"WrappingAlgorithm": "RSAES_OAEP_SHA_1"})),
    ("GetParametersForImport", "StringEquals", "kms:WrappingKeySpec", WRAPPING["WrappingKeySpec"],
     of("external", **WRAPPING), of("external", **WRAPPING | {"WrappingKeySpec": "RSA_3072"})),
    ("CreateKey", "StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT", creating(), creating(**HMAC)),
    ("CreateKey", "StringEquals", "kms:CustomerMasterKeySpec", "HMAC_256", creating(**HMAC), creating()),
    ("CreateKey", "StringEquals", "kms:CustomerMasterKeyUsage", "GENERATE_VERIFY_MAC", creating(**HMAC), creating()),
    ("CreateKey", "StringEquals", "kms:KeyOrigin", "EXTERNAL", creating(Origin="EXTERNAL"), creating()),
    ("CreateKey", "Bool", "kms:MultiRegion", "true", creating(MultiRegion=True), creating()),
    ("CreateKey", "StringEquals", "aws:RequestTag/Team", "a", creating(**tags("Team", "a")), creating(**tags("Team", "b"))),
    ("CreateKey", "ForAllValues:StringEquals", "aws:TagKeys", "Team", creating(**tags("Team", "a")), creating(**tags("team", "a"))),
    ("ReplicateKey", "StringEquals", "kms:ReplicaRegion", "eu-west-1",
     of("multi", ReplicaRegion="eu-west-1"), of("multi", ReplicaRegion="eu-west-2")),
    ("GenerateRandom", "StringEquals", "kms:RecipientAttestation:ImageSha384", IMAGE.hex(), attested(IMAGE), attested(OTHER)),
    ("GenerateRandom", "StringEquals", "kms:RecipientAttestation:PCR0", OTHER.hex(), attested(OTHER), attested(IMAGE)),
    ("GenerateRandom", "StringEquals", "kms:RecipientAttestation:PCR4", OTHER.hex(), attested(IMAGE), creating(NumberOfBytes=32)),
    ("GenerateRandom", "StringEqualsIfExists", "kms:RecipientAttestation:PCR4", OTHER.hex(), creating(NumberOfBytes=32), None),
]  # fmt: skip
"""Operation, operator, key, its value, a call that has it, and one that has not (None: none is valid)."""
