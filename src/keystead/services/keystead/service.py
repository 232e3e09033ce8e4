"""The service of operations that AWS has not."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.keystead import advice
from keystead.wire import own

KEYSTEAD = service(own.SERVICE, advice.OPERATIONS)
