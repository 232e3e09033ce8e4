"""How much an organization may hold. Source: AWS Organizations User Guide, "Quotas for AWS Organizations".

Where AWS raises a quota on request, it is the most that AWS gives.
"""

from __future__ import annotations

from typing import Final

ACCOUNTS: Final = 10_000
UNITS: Final = 2_000
DEPTH: Final = 5
"""Units below each other, not counting the root."""
POLICIES: Final = {"SERVICE_CONTROL_POLICY": 10_000, "RESOURCE_CONTROL_POLICY": 1_000}
"""Policies of each type, AWS's own not counted."""
CONTENT: Final = 5_120
"""Characters of a policy of either type."""
ATTACHED: Final = 5
"""Policies of one type on one node, AWS's own counted."""
TAGS: Final = 50
INVITATION: Final = 15 * 86_400.0
"""Seconds for which an invitation is open."""
KEPT: Final = 30 * 86_400.0
"""Seconds for which a handshake that is over is still shown."""
