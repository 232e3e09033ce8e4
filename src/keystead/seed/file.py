"""What a seed file may hold: YAML, read into these structs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from keystead import arn, errors
from keystead.keys import spec as specs
from keystead.seed.identities import AccessKey, Document, SeedGroup, SeedPolicy, SeedRole, SeedUser
from keystead.settings import complaint

AccountId = Annotated[str, msgspec.Meta(pattern="^[0-9]{12}$")]
Region = Annotated[str, msgspec.Meta(pattern=rf"^{arn.REGION}\Z")]


class SeedKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key with a fixed id, a UUID or one for a multi-Region primary (`mrk-…`); without `policy` it has the default one.

    `material` is base64 (raw bytes, or PKCS#8 DER for key pairs).
    """

    id: str
    region: Region = "us-east-1"
    spec: str = specs.SYMMETRIC_DEFAULT
    usage: str | None = None
    description: str = ""
    aliases: list[str] = []
    tags: dict[str, str] = {}
    policy: Document | None = None
    material: bytes | None = None

    def __repr__(self) -> str:
        return f"SeedKey({self.id})"


class SeedAccount(msgspec.Struct, forbid_unknown_fields=True):
    """One account; `policies` are its managed policies."""

    id: str
    name: str = ""
    email: str = ""
    root_credentials: AccessKey | None = None
    policies: list[SeedPolicy] = []
    groups: list[SeedGroup] = []
    users: list[SeedUser] = []
    roles: list[SeedRole] = []
    keys: list[SeedKey] = []


class SeedOrgPolicy(msgspec.Struct, forbid_unknown_fields=True):
    """A policy attached to a node; one that another node names already needs no document."""

    name: str
    type: Literal["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "SCP", "RCP"] = (
        "SERVICE_CONTROL_POLICY"
    )
    document: Document | None = None
    description: str = ""


class SeedMember(msgspec.Struct, forbid_unknown_fields=True):
    """An account in its place, with policies attached to the account itself."""

    id: AccountId
    policies: list[SeedOrgPolicy] = []
    full_access: bool = True


class SeedUnit(msgspec.Struct, forbid_unknown_fields=True):
    """A unit. `full_access: false` leaves AWS's FullAWSAccess off, so that its SCPs alone allow."""

    name: str
    id: Annotated[str, msgspec.Meta(pattern="^(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})?$")] = ""
    policies: list[SeedOrgPolicy] = []
    full_access: bool = True
    accounts: list[AccountId | SeedMember] = []
    units: list[SeedUnit] = []


class SeedOrganization(msgspec.Struct, forbid_unknown_fields=True):
    """An organization; `policies`, `accounts` and `units` are those of its root."""

    id: Annotated[str, msgspec.Meta(pattern="^o-[a-z0-9]{10,32}$")]
    management_account: AccountId
    root: Annotated[str, msgspec.Meta(pattern="^(r-[0-9a-z]{4,32})?$")] = ""
    policies: list[SeedOrgPolicy] = []
    full_access: bool = True
    accounts: list[AccountId | SeedMember] = []
    units: list[SeedUnit] = []


class Seed(msgspec.Struct, forbid_unknown_fields=True):
    """A whole seed file."""

    accounts: list[SeedAccount] = []
    organization: SeedOrganization | None = None


def read_seed(file: Path) -> Seed:
    """The seed in a YAML file.

    Raises:
        errors.SettingsError: it cannot be read, or holds something that is unknown; the message says where.
    """
    try:
        content = yaml.safe_load(file.read_text())
        return msgspec.convert(content or {}, Seed, strict=True)
    except OSError as error:
        raise errors.SettingsError(f"cannot read the seed file {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.SettingsError(f"the seed file {file} is not YAML{_line_of(error)}") from None
    except msgspec.ValidationError as error:
        raise errors.SettingsError(f"bad seed file {file}: {complaint(error)}") from None


def _line_of(error: Exception) -> str:
    """Where it is wrong, as far as the parser tells; nothing that the file says, which may be a secret."""
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f": line {mark.line + 1}, column {mark.column + 1}"
