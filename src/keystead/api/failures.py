"""What callers are told of a failure: API errors as they are, everything else opaque, its detail in the log."""

from __future__ import annotations

import structlog

from keystead import errors
from keystead.api.call import Call
from keystead.api.decisions import Refusal, Refused
from keystead.api.routing import Route

log = structlog.get_logger("keystead.pipeline")


def translate(route: Route, failure: Exception) -> errors.ApiError:
    """The error to answer."""
    if isinstance(failure, errors.ApiError):
        return failure
    if isinstance(failure, errors.StorageError):
        return unavailable(route, failure)
    log.error(
        "internal failure",
        operation=route.operation,
        kind=type(failure).__name__,
        where=errors.places(failure),
    )
    return internal(route, "An internal error occurred; the server's log has the details.")


def unavailable(route: Route, problem: Exception) -> errors.ApiError:
    """The error to answer when something could not be stored or recorded."""
    if isinstance(problem, errors.ApiError):
        return problem
    log.error("cannot answer", kind=type(problem).__name__, reason=str(problem))
    return internal(route, "The server cannot store or record the request now; see its readiness state.")


def internal(route: Route, message: str) -> errors.ApiError:
    """What a service answers when it cannot; a retry may succeed."""
    failure = errors.KmsInternal if route.service.name == "kms" else errors.InternalFailure
    return failure(message)


def unsupported(route: Route) -> errors.ApiError:
    """That there is no such operation here."""
    return errors.UnsupportedOperation(f"Operation {route.operation} is not supported by this server.")


def note_refusal(call: Call, error: errors.AccessDenied) -> None:
    """None; what the refusal was made of is kept under the request's id."""
    if not isinstance(error.refused, Refused):
        return
    asked = error.refused.request
    log.info("denied", action=asked.action, caller=call.caller.arn or call.caller.name, why=call.request_id)
    call.decisions.note(
        Refusal(
            id=call.request_id,
            time=call.now,
            operation=call.operation,
            account=call.account,
            refused=error.refused,
        )
    )
