"""AWS KMS: every operation, a chapter of the API reference in each file.

Owns what each operation does once it is authorized, and what its permissions are. Refuses to know
how a caller was authenticated and how bytes travel.
"""

__all__: list[str] = []
