"""The data path's door: sockets in, `wire.http.Request` values to a handler, its answers out.

This room owns what a hostile or slow client can do to a connection: sizes, time limits, order,
keep-alive, the checks against request smuggling, back-pressure and the drain at shutdown. It
refuses to know what a request means: no service, signature, account or key is named here, and
its only errors are those of HTTP itself, in AWS's JSON form.
"""

from keystead.http.asgi import asgi
from keystead.http.limits import Limits
from keystead.http.server import Server, serve
from keystead.http.tls import server_context

__all__ = ["Limits", "Server", "asgi", "serve", "server_context"]
