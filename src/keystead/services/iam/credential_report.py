"""GenerateCredentialReport and GetCredentialReport: one line for each user and the root, as CSV.

Source: IAM User Guide, "Generate credential reports for your AWS account" (columns, their order, and what
stands where there is nothing to say). A report is kept for four hours.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS, USERS
from keystead.api.mfa import devices_of
from keystead.api.operation import always
from keystead.arn import root_arn
from keystead.identity import Credential, User
from keystead.services.iam.access_keys import keys_of
from keystead.services.iam.paging import named_rows
from keystead.services.iam.targets import on_account
from keystead.storage import Table
from keystead.wire.models import iam as wire

_FRESH: Final = 4 * 3600
"""Seconds for which a report is kept and not made anew."""
_KEYS: Final = 2

_COLUMNS: Final = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)
_NO_PASSWORD: Final = ("false", "N/A", "N/A", "N/A")
_NO_KEY: Final = ("false", "N/A", "N/A", "N/A", "N/A")
_NO_CERTIFICATES: Final = ("false", "N/A", "false", "N/A")


class Report(msgspec.Struct, frozen=True):
    """A credential report (CSV) and when it was made, epoch seconds."""

    made: float
    content: str


REPORTS: Table[Report] = Table("credential_report", Report, evident=False)  # drawn from what is evident
"""account"""


@operation(
    "GenerateCredentialReport", targets=on_account("GenerateCredentialReport"), changes=True, slow=always
)
def generate_credential_report(
    call: Call, _request: object, _account: Target
) -> wire.GenerateCredentialReportResponse:
    """Make the account's report, unless there is one of the last four hours."""
    if _recent(call) is None:
        call.tx.put(REPORTS, call.account, Report(call.now, _written(call)))
    return wire.GenerateCredentialReportResponse(state="COMPLETE")


@operation("GetCredentialReport", targets=on_account("GetCredentialReport"))
def get_credential_report(call: Call, _request: object, _account: Target) -> wire.GetCredentialReportResponse:
    """Return the account's report."""
    report = _recent(call)
    if report is None and call.tx.get(REPORTS, call.account) is not None:
        raise errors.CredentialReportExpired("Credential report has expired.")
    if report is None:
        raise errors.CredentialReportNotPresent("No report present.")
    return wire.GetCredentialReportResponse(
        content=report.content.encode(), report_format="text/csv", generated_time=report.made
    )


def _recent(call: Call) -> Report | None:
    report = call.tx.get(REPORTS, call.account)
    return report if report is not None and 0 <= call.now - report.made < _FRESH else None


def _written(call: Call) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    lines.writerow(_root_line(call))
    lines.writerows(_user_line(call, user) for _, user in named_rows(call, "user", USERS))
    return text.getvalue().rstrip("\n")


def _root_line(call: Call) -> tuple[str, ...]:
    account = call.tx.get(ACCOUNTS, call.account)
    created = _instant(account.created) if account is not None else "N/A"
    password = ("not_supported", "no_information", "not_supported", "not_supported")
    keys = _key_columns(call, keys_of(call, None))
    return ("<root_account>", root_arn(call.account), created, *password, "false", *keys, *_NO_CERTIFICATES)


def _user_line(call: Call, user: User) -> tuple[str, ...]:
    mfa = "true" if devices_of(call.tx, user) else "false"
    keys = _key_columns(call, keys_of(call, user))
    return (user.name, user.arn, _instant(user.created), *_NO_PASSWORD, mfa, *keys, *_NO_CERTIFICATES)


def _key_columns(call: Call, keys: list[Credential]) -> tuple[str, ...]:
    columns = [_one_key(call, key) for key in keys[:_KEYS]]
    columns += [_NO_KEY] * (_KEYS - len(columns))
    return tuple(column for one in columns for column in one)


def _one_key(call: Call, key: Credential) -> tuple[str, ...]:
    use = call.usage.callers.last(call.tx, key.account, key.access_key_id)
    used = (_instant(use.at), use.region, use.service) if use is not None else ("N/A", "N/A", "N/A")
    return ("true" if key.active else "false", _instant(key.created), *used)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


OPERATIONS = (generate_credential_report, get_credential_report)
