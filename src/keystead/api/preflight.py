"""Preflights: browsers ask, before they send a page's request, whether its origin may send it (Fetch standard, 3.3).

Nobody signs them, they change nothing and tell only what a bucket's owner wants every page to know, so they are no
event of anybody's account; like what is turned away they are counted.
"""

from __future__ import annotations

from keystead import errors
from keystead.api.failures import unavailable
from keystead.api.parts import Done, Parts
from keystead.api.routing import Route, Router
from keystead.entropy import new_uuid
from keystead.wire.http import Request, Response

OPTIONS = "OPTIONS"


def answered(parts: Parts, router: Router, request: Request, done: Done) -> bool:
    """Whether the request, whose method is OPTIONS, was about a bucket and so is answered; `done` is told then.

    Raises:
        errors.Serialization: path or query cannot be read.
    """
    started, request_id = parts.tick(), new_uuid(parts.entropy)
    route = router.preflight(request)
    if route is None:
        return False
    response, outcome = _answer(parts, route, request, request_id)
    parts.count(route.service.name, "", outcome, parts.tick() - started)
    done(response)
    return True


def _answer(parts: Parts, route: Route, request: Request, request_id: str) -> tuple[Response, str]:
    """The answer, and what is counted of it: an error's code, or `ok`."""
    exchange, allowed = route.exchange, route.service.preflight
    assert exchange is not None
    error: errors.ApiError = errors.UnknownOperation()
    try:
        if allowed is not None:
            exchange.headers += allowed(parts.store.transaction(), request, exchange)
            return route.answer(None, request_id), "ok"
    except errors.ApiError as refused:
        error = refused
    except errors.StorageError as problem:
        error = unavailable(route, problem)
    return route.refusal(error, request_id), error.code
