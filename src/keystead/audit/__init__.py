"""Evidence: each call has exactly one event, and it is durable before the call is answered.

Owns the form of an event and what of a call it may show (`event`, `redact`), each worker's
append-only journal (`journal`), and the group commit that makes changes and events durable
together (`commit`). Refuses to know how a call is authorized or carried out, which key material it
used, and how journals become one Merkle log.
"""

__all__ = ["commit", "event", "journal", "outbox", "redact"]
