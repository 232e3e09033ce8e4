"""Every table that a store of this program has: what a check of the whole store goes by."""

from __future__ import annotations

from typing import Any, Final

from keystead.api.accounts import ACCOUNTS, CREDENTIALS
from keystead.api.directory import (
    GROUPS,
    NAMES,
    OIDC_PROVIDERS,
    ORG_POLICIES,
    ORGANIZATIONS,
    POLICIES,
    ROLES,
    UNITS,
    USERS,
)
from keystead.api.guards import GUARD_TURNS, GUARDS
from keystead.api.mfa import MFA_DEVICES
from keystead.api.replay import SEEN
from keystead.api.schedule import DUE
from keystead.api.usage import CALLER_USE, LAST_USE, USES_UP_TO
from keystead.audit.custody import LOG_KEYS
from keystead.audit.holds import HOLDS
from keystead.audit.outbox import OUTBOX
from keystead.keyring.keyring import MATERIALS, ROOTS, SCRUBS
from keystead.services.accessanalyzer.tables import (
    ANALYZERS,
    FINDINGS,
    GENERATIONS,
    LOOKED,
    PREVIEWS,
    RECOMMENDATIONS,
)
from keystead.services.cloudtrail.tables import DELIVERIES, SIGNING_KEYS, TRAILS
from keystead.services.iam.credential_report import REPORTS
from keystead.services.kms.grants import NAMED_GRANTS
from keystead.services.kms.key_stores import KEY_STORES
from keystead.services.kms.tables import ALIASES, GRANTS, KEYS
from keystead.services.organizations.tables import CREATIONS, HANDSHAKES
from keystead.services.s3.endings import COMPLETIONS
from keystead.services.s3.garbage import GARBAGE
from keystead.services.s3.ownkey import OWN_KEYS
from keystead.services.s3.tables import BUCKETS, INLINE, MARKERS, OBJECTS, PARTS, UPLOADS, VERSIONS
from keystead.storage.table import Table
from keystead.storage.write import COUNTERS

TABLES: Final[tuple[Table[Any], ...]] = (
    ACCOUNTS,
    ALIASES,
    ANALYZERS,
    BUCKETS,
    CALLER_USE,
    COMPLETIONS,
    COUNTERS,
    CREATIONS,
    CREDENTIALS,
    DELIVERIES,
    DUE,
    FINDINGS,
    GARBAGE,
    GRANTS,
    GROUPS,
    GUARDS,
    GUARD_TURNS,
    HANDSHAKES,
    HOLDS,
    INLINE,
    KEYS,
    KEY_STORES,
    LAST_USE,
    LOG_KEYS,
    LOOKED,
    MATERIALS,
    MFA_DEVICES,
    NAMED_GRANTS,
    NAMES,
    OBJECTS,
    MARKERS,
    OIDC_PROVIDERS,
    ORGANIZATIONS,
    ORG_POLICIES,
    OUTBOX,
    OWN_KEYS,
    PARTS,
    POLICIES,
    PREVIEWS,
    RECOMMENDATIONS,
    GENERATIONS,
    REPORTS,
    ROLES,
    ROOTS,
    SCRUBS,
    SEEN,
    SIGNING_KEYS,
    TRAILS,
    UNITS,
    UPLOADS,
    USERS,
    USES_UP_TO,
    VERSIONS,
)
