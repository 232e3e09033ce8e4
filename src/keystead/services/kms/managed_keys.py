"""AWS managed keys: the default keys of services, one for each service in an account and Region.

A key is made at its service's first use for somebody, or when somebody first asks what the predefined alias
stands for (DescribeKey). Its policy cannot be changed, and delegates nothing but looking on: so nobody can
use it but through the service, share, disable or delete it, whatever other policies say.

Source: AWS KMS Developer Guide, "AWS managed keys" and "Default key policies of AWS managed keys".
"""

from __future__ import annotations

import json
from typing import Final

import msgspec

from keystead.api import Call
from keystead.api.schedule import DueCall, DueEvent, put_due
from keystead.arn import root_arn
from keystead.entropy import new_uuid
from keystead.keyring import Keyring
from keystead.keys import Key, KeyState, rotation
from keystead.keys import key as keys
from keystead.keys import spec as specs
from keystead.keys.alias import Alias
from keystead.keys.key import Material
from keystead.services.kms.events import service_event
from keystead.services.kms.lending import with_fresh_material
from keystead.services.kms.tables import ALIASES, DUE_ROTATION, KEYS, key_place

DUE_RECORD: Final = "record-managed-key"

_USES: Final = (
    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey",
)  # fmt: skip
_LOOKS: Final = ("kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant")


class ManagedKey(msgspec.Struct, frozen=True):
    """The default key of a service. `service` is the label before the Region in `kms:ViaService`."""

    alias: str
    service: str
    protects: str


def _rows(*rows: tuple[str, str, str]) -> dict[str, ManagedKey]:
    return {
        f"alias/aws/{name}": ManagedKey(f"alias/aws/{name}", service, what) for name, service, what in rows
    }


MANAGED_KEYS: Final = _rows(
    ("acm", "acm", "ACM private keys"),
    ("backup", "backup", "Backup data"),
    ("codecommit", "codecommit", "CodeCommit repositories"),
    ("connect", "connect", "Connect data"),
    ("dms", "dms", "DMS replication instances"),
    ("dynamodb", "dynamodb", "DynamoDB data"),
    ("ebs", "ec2", "EBS volumes"),
    ("elasticfilesystem", "elasticfilesystem", "EFS filesystems"),
    ("es", "es", "Elasticsearch data"),
    ("fsx", "fsx", "FSx resources"),
    ("glue", "glue", "Glue data"),
    ("kafka", "kafka", "MSK data"),
    ("kinesis", "kinesis", "Kinesis streams"),
    ("kinesisvideo", "kinesisvideo", "Kinesis video streams"),
    ("lambda", "lambda", "Lambda functions' environment variables"),
    ("lightsail", "lightsail", "Lightsail data"),
    ("mq", "mq", "MQ data"),
    ("rds", "rds", "RDS database volumes"),
    ("redshift", "redshift", "Redshift clusters"),
    ("s3", "s3", "S3 objects"),
    ("secretsmanager", "secretsmanager", "Secrets Manager secrets"),
    ("ses", "ses", "SES data"),
    ("sns", "sns", "SNS data"),
    ("sqs", "sqs", "SQS messages"),
    ("ssm", "ssm", "SSM parameters"),
    ("transfer", "transfer", "Transfer Family data"),
    ("workspaces", "workspaces", "WorkSpaces data"),
    ("xray", "xray", "X-Ray data"),
)
"""By alias."""


def default_key(call: Call, alias: str) -> Key | None:
    """The key that a predefined alias of the caller's account stands for, made by `call`; else None.

    The key and its alias are written to the call's transaction: they are there once it succeeds.
    """
    row = MANAGED_KEYS.get(alias)
    if row is None or not _may_make(call, row):
        return None
    key, material_id = with_fresh_material(call.tx, call.keyring, _new_key(call, row))
    key = msgspec.structs.replace(key, materials=(Material(id=material_id),))
    key = rotation.with_rotation(key, rotation.DEFAULT_PERIOD_DAYS, call.now)
    call.tx.insert(KEYS, key_place(key), key)
    call.tx.insert(
        ALIASES,
        f"{key.account}/{key.region}/{alias}",
        Alias(name=alias, target=key.id, created=call.now, updated=call.now),
    )
    assert key.rotation is not None
    put_due(call.tx, key.rotation.next_date, DUE_ROTATION, key_place(key))
    put_due(call.tx, call.now, DUE_RECORD, key_place(key))
    return key


def _may_make(call: Call, row: ManagedKey) -> bool:
    """By the service, or by who asks what the alias stands for (DescribeKey in the API reference)."""
    if call.via is not None:
        return call.via.services[-1].split(".", 1)[0] == row.service and bool(call.account)
    return call.operation == "DescribeKey"


def _new_key(call: Call, row: ManagedKey) -> Key:
    return Key(
        account=call.account,
        region=call.region,
        id=new_uuid(call.entropy),
        spec=specs.SYMMETRIC_DEFAULT,
        usage=specs.ENCRYPT_DECRYPT,
        origin=keys.AWS_KMS,
        state=KeyState.ENABLED,
        created=call.now,
        policy=managed_policy(row, call.account, call.region),
        description=f"Default key that protects my {row.protects} when no other key is defined",
        manager=keys.AWS,
    )


def managed_policy(row: ManagedKey, account: str, region: str) -> str:
    """The key policy of a service's default key."""
    through = f"{row.service}.{region}.amazonaws.com"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": f"auto-{row.service}-1",
            "Statement": [
                {
                    "Sid": f"Allow access through {row.service} for all principals in the account that are "
                    f"authorized to use {row.service}",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": list(_USES),
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {"kms:CallerAccount": account, "kms:ViaService": through},
                    },
                },
                {
                    "Sid": "Allow direct access to key metadata to the account",
                    "Effect": "Allow",
                    "Principal": {"AWS": root_arn(account)},
                    "Action": list(_LOOKS),
                    "Resource": "*",
                },
            ],
        },
        indent=2,
    )


def record_creation(_keyring: Keyring, call: DueCall, subject: str) -> list[DueEvent]:
    """The service event of a default key that was made: the service made it, whoever's call it was."""
    key = call.tx.get(KEYS, subject)
    if key is None or key.manager != keys.AWS:
        return []
    return [service_event("CreateKey", key, keyManager=key.manager)]
