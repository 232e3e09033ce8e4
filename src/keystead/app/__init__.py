"""The one place where the parts are put together: `build(settings, …)` makes an App of an opened deployment.

It owns which parts there are and how deployments are made and opened. It refuses to know what they do:
no rule of any service, and no socket, is here.
"""

from keystead.app.deployments import (
    STORE,
    create,
    ephemeral_store,
    exists,
    first_credential,
    open_or_create,
    open_store,
    starting,
)
from keystead.app.server import SERVICES, WORKER, App, accounts, build
from keystead.app.tables import TABLES

__all__ = [
    "SERVICES",
    "STORE",
    "TABLES",
    "WORKER",
    "App",
    "accounts",
    "build",
    "create",
    "ephemeral_store",
    "exists",
    "first_credential",
    "open_or_create",
    "open_store",
    "starting",
]
