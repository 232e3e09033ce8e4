"""Owns the seed file: accounts, identities, keys and an organization that are to be there at each start.

Refuses to know who may do what: it writes for the person who runs the server, before it takes requests.
"""

from keystead.seed.apply import apply_seed
from keystead.seed.file import read_seed

__all__ = ["apply_seed", "read_seed"]
