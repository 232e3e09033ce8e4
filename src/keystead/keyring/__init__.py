"""The only home of usable key material.

Lends abilities (encrypt, sign, MAC, …) for a key's material and never its bytes. Refuses to know
who asks and whether they may.
"""

from keystead.keyring.keyring import MATERIALS, PENDING, SCRUBS, Keyring

__all__ = ["MATERIALS", "PENDING", "SCRUBS", "Keyring"]
