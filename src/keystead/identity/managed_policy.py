"""Managed policies: documents with versions that several identities share."""

from __future__ import annotations

import msgspec

from keystead.identity.names import iam_arn


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version (`v1`, `v2`, …) of a managed policy, its document as it was put."""

    id: str
    document: str
    created: float


class ManagedPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer managed policy; `default` is the id of the version that counts, `issued` the last number."""

    account: str
    name: str
    id: str
    created: float
    updated: float
    versions: tuple[PolicyVersion, ...]
    default: str = "v1"
    issued: int = 1
    path: str = "/"
    description: str = ""
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        """The policy's ARN, with its path."""
        return iam_arn(self.account, "policy", self.path, self.name)

    @property
    def document(self) -> str:
        """The document of the default version."""
        return next(version.document for version in self.versions if version.id == self.default)
