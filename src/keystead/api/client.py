"""How a service calls another one in this process: as its caller, through the one pipeline.

Everything such a call does is authorized and recorded like a request from outside, with the caller's own
permissions and with `kms:ViaService` and `aws:CalledVia` set here. A call waits until it is recorded, so it
belongs in a thread of the pool: an operation that makes one says that it is slow.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from keystead import errors
from keystead.api.call import Call, Via
from keystead.entropy import new_uuid


class Client:
    """Calls as the service `principal` (`s3.amazonaws.com`) for whoever made the call `outer`.

    `source_arn` names the resource of the service on whose behalf it calls, e.g. a bucket.
    """

    def __init__(self, outer: Call, principal: str, *, source_arn: str = "") -> None:
        before = outer.via.services if outer.via is not None else ()
        self._outer = outer
        self._via = Via((*before, principal), outer.region, source_arn, outer.account if source_arn else "")

    def call(self, service: str, operation: str, request: Any) -> Any:
        """The answer of `service`'s operation to a request struct, once it is durable that it was given.

        Raises:
            errors.ApiError: what a client would be told.
        """
        outer = self._outer
        inner = msgspec.structs.replace(
            outer,
            operation=operation,
            request_id=new_uuid(outer.entropy),
            event_id=new_uuid(outer.entropy),
            tx=outer.tx.anew(),
            via=self._via,
        )
        outcome: list[tuple[Any, errors.ApiError | None]] = []
        recorded = threading.Event()

        def settled(answer: Any, error: errors.ApiError | None) -> None:
            outcome.append((answer, error))
            recorded.set()

        outer.perform(inner, service, request, settled)
        recorded.wait()
        answer, error = outcome[0]
        if error is not None:
            raise error
        return answer
