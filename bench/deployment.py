"""The deployment that is measured: a user with an identity policy, a key policy with conditions, and a grant.

Encrypt and GenerateDataKey are allowed by the identity policy, to which the key policy delegates; Decrypt by the
grant alone, so that grants are looked up. Two Deny statements with conditions are weighed in each request.
"""

from __future__ import annotations

from typing import Any

ACCOUNT, REGION = "000000000000", "us-east-1"
ROOT_ID, ROOT_SECRET = "AKIDROOT000000000000", "root-secret-0000000000000000000000000000"
USER_ID, USER_SECRET = "AKIDBENCH00000000000", "bench-secret-000000000000000000000000000"
KEY_ID = "0c9a4ee1-6b1f-4b0c-9d9c-0a1b2c3d4e5f"
SIGN_KEY_ID = "1d0b5ff2-7c20-4c1d-8ead-1b2c3d4e5f60"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/bench"
CONTEXT = {"tenant": "acme", "purpose": "bench"}

_ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
_USES = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"]


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _key(key_id: str, **more: Any) -> dict[str, Any]:
    return {"id": key_id, "region": REGION, **more}


def seed() -> dict[str, Any]:
    """The seed file, as JSON, which YAML reads too."""
    delegating = {"Effect": "Allow", "Principal": _ROOT, "Action": "kms:*", "Resource": "*"}
    only_from_here = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    }
    only_our_tenant = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": _USES,
        "Resource": "*",
        "Condition": {"StringNotEquals": {"kms:EncryptionContext:tenant": CONTEXT["tenant"]}},
    }
    own = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"
    identity = _policy(
        {
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
            "Resource": own,
            "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": CONTEXT["purpose"]}},
        },
        {"Effect": "Allow", "Action": ["kms:Sign", "kms:GetPublicKey", "kms:DescribeKey"], "Resource": own},
        {"Effect": "Allow", "Action": "kms:GenerateRandom", "Resource": "*"},
    )
    user = {
        "name": "bench",
        "credentials": {"access_key_id": USER_ID, "secret_access_key": USER_SECRET},
        "policies": {"use": identity},
    }
    policy = _policy(delegating, only_from_here, only_our_tenant)
    keys = [
        _key(KEY_ID, policy=policy),
        _key(SIGN_KEY_ID, spec="ECC_NIST_P256", usage="SIGN_VERIFY", policy=policy),
    ]
    return {
        "accounts": [
            {
                "id": ACCOUNT,
                "name": "bench",
                "root_credentials": {"access_key_id": ROOT_ID, "secret_access_key": ROOT_SECRET},
                "users": [user],
                "keys": keys,
            }
        ]
    }


GRANT: dict[str, Any] = {"KeyId": KEY_ID, "GranteePrincipal": USER_ARN, "Operations": ["Decrypt"]}
"""What CreateGrant is asked for with the root's credentials."""
