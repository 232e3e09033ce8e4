"""What findings are about: the stable names of `keystead analyze` and `advise`, each with its meaning in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FINDINGS: Final[Mapping[str, str]] = {
    "default-key": "A bucket is to be encrypted under the default key of S3, which has no policy of its own.",
    "delegated": "A statement leaves it to the identity policies of the account, which were not given.",
    "duties-both": "One principal may both administer a key and use it.",
    "duties-one-step": "One principal that does not use a key may let itself do so by PutKeyPolicy or CreateGrant.",
    "external-access": "A principal of another account is let in.",
    "gives-itself-more": "An identity may change its own policies, or those of a role that it can take on.",
    "lockout": "Nobody would keep the right to change the key policy.",
    "narrower-policy": "A narrower policy is enough: proven not to be wider, and all recorded use is allowed by it.",
    "new-access": "The new policy lets in somebody whom the old one does not.",
    "not-known-yet": "A policy is known only when the template is applied.",
    "not-replayed": "The policy takes away what is asked on no key, of which no use is replayed.",
    "not-seen": "Something could not be looked at with these credentials.",
    "public-access": "Anybody may get in: a caller of an account that the policy does not name.",
    "reached": "An identity may do something with a key.",
    "reached-by-role": "An identity may do something with a key by roles that it can take on.",
    "undecided": "A question is neither proven nor refuted.",
    "unused-access": "A caller may do what it never did.",
    "use-not-known": "Whether a recorded use would be allowed depends on what events do not tell.",
    "use-refused": "A recorded use would be refused.",
    "who-can": "A caller may do something with the key.",
}
"""Findings of questions about policies."""

CHECKS: Final[Mapping[str, str]] = {
    "analyzer-enabled": "An analyzer of IAM Access Analyzer watches the Region.",
    "grants-for-services": "By the key policy only AWS services make grants.",
    "in-use": "The key is enabled, and was used or made lately.",
    "no-decrypt-on-all-keys": "An identity policy lets nobody decrypt under keys that it does not name.",
    "no-deletion-with-users": "No key that somebody uses is about to be deleted.",
    "not-public": "Nobody of an account that the policy does not name gets in.",
    "one-region": "A key is of one Region.",
    "own-policy": "A key has a policy.",
    "rotation": "Material is replaced, or cannot be.",
    "rsa-size": "RSA keys have more than 2048 bits.",
}
"""Checks that scanners make; a finding says that one fails, or that a scanner would say so."""

ADVICE: Final[Mapping[str, str]] = {
    "alias": "A key has no alias, or an alias stands for a key that cannot be used.",
    "deletion-with-users": "A key is about to be deleted, and somebody used it, or tried to, or something lies under it.",
    "disabled-with-users": "The same of a key that is disabled.",
    "risky-policy": "A key policy lets in outsiders or the public, or has issues of security.",
    "rotation": "The material of a key is never replaced by itself.",
    "stale-grant": "A grant is for somebody who is gone, or who never used the key.",
    "unused": "Nobody used a key for a long time.",
}
"""What `keystead advise` says of custom keys."""
