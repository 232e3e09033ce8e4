"""Evidence: each call has an event in every account that it concerns, durable before the call is answered.

Owns the form of an event and what of a call it may show (`form`, `event`, `redact`, `rules`), each worker's
append-only journal (`journal`), and the group commit that makes changes and events durable
together (`commit`, `outbox`), and what makes one Merkle log of all journals (`log`, `logprocess`). Refuses to know how a
call is authorized or carried out, and which key material it used.
"""
