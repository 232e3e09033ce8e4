"""AWS's protocols: how a request's bytes become its shape, and how an answer's shape becomes bytes.

Each knows the shapes through `keystead.wire.model` only, never a service or an operation.
"""

__all__ = ["json", "query"]
