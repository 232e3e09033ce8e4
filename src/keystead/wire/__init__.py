"""HTTP messages, AWS request and answer shapes, their encodings and the request signature, as values.

This room turns bytes into checked structs and structs into bytes. It owns the generated shapes
(`models`), the constraints and their wording (`validate`), the encodings (`protocols`) and
Signature Version 4 (`sigv4`). It refuses to know sockets, time, stored credentials, keys and
policies: all it needs is passed in, and nothing in it decides who may do what.
"""

__all__ = ["canonical", "claim", "http", "model", "models", "protocols", "signing", "sigv4", "validate"]
