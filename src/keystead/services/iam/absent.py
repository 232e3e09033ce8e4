"""What accounts and users have none of here: passwords, certificates, SSH keys, credentials of other services.

None can be made (the operations that would answer that they are not supported), so lists are empty and reads
find nothing: programs that ask before they delete a user go on. Permissions count as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keystead import errors
from keystead.api import Call, Operation, Target, operation
from keystead.services.iam.entities import existing_user
from keystead.services.iam.targets import on_account, on_own_user, own_user_name
from keystead.wire.models import iam as wire


def _no_password(call: Call, request: Any, _user: Target) -> None:
    """Refuse as AWS does for a user without a password."""
    name = own_user_name(call, request.user_name)
    shown = "root" if name is None else existing_user(call, name).name
    raise errors.NoSuchEntity(f"Login Profile for User {shown} cannot be found.")


def _none(name: str, empty: Callable[[], Any]) -> Operation:
    """The listing of a user's things of one kind, of which there are none."""

    def listing(call: Call, request: Any, _user: Target) -> Any:
        """Return an empty list for a user that exists."""
        user = own_user_name(call, request.user_name)
        if user is not None:
            existing_user(call, user)
        return empty()

    return operation(name, targets=on_own_user(name))(listing)


@operation("ListServerCertificates", targets=on_account("ListServerCertificates"))
def list_server_certificates(
    _call: Call, _request: wire.ListServerCertificatesRequest, _account: Target
) -> wire.ListServerCertificatesResponse:
    """Return no certificate."""
    return wire.ListServerCertificatesResponse(server_certificate_metadata_list=[], is_truncated=False)


OPERATIONS = (
    operation("GetLoginProfile", targets=on_own_user("GetLoginProfile"))(_no_password),
    operation("DeleteLoginProfile", targets=on_own_user("DeleteLoginProfile"), changes=True)(_no_password),
    _none(
        "ListSSHPublicKeys", lambda: wire.ListSSHPublicKeysResponse(ssh_public_keys=[], is_truncated=False)
    ),
    _none(
        "ListSigningCertificates",
        lambda: wire.ListSigningCertificatesResponse(certificates=[], is_truncated=False),
    ),
    _none(
        "ListServiceSpecificCredentials",
        lambda: wire.ListServiceSpecificCredentialsResponse(
            service_specific_credentials=[], is_truncated=False
        ),
    ),
    list_server_certificates,
)
