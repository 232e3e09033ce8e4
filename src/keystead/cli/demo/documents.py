"""The service of the story: it keeps documents, encrypted under a KMS key, for whoever may ask it.

It stands for S3. Like S3 it has no access to keys of its own: it calls KMS with the permissions of its
caller, whose signed request it forwards.
"""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.cli.demo.stage import Credentials, Stage

PRINCIPAL = "s3.amazonaws.com"


class Document(msgspec.Struct, frozen=True):
    """An object as the service keeps it: nobody can read it without the key."""

    blob: bytes
    context: dict[str, str]


class Documents:
    """The service, registered with the server of the stage."""

    def __init__(self, stage: Stage) -> None:
        made = stage.keystead("service", "register", PRINCIPAL)
        self._stage = stage
        self.own = Credentials(PRINCIPAL, made["access_key_id"], made["secret_access_key"])
        self._kept: dict[str, Document] = {}

    def put(self, who: Credentials, name: str, text: bytes, key: str, **context: str) -> Any:
        """Keep a document for `who`; what KMS answered."""
        print(f"\n{who.name} > PUT /{name}, to be encrypted under {key}")
        bound = {"object": name, **context}
        answer = self._call(who, "PUT", name, "encrypt", KeyId=key, Plaintext=text, EncryptionContext=bound)
        self._kept[name] = Document(answer["CiphertextBlob"], bound)
        return answer

    def get(self, who: Credentials, name: str) -> bytes:
        """The document, decrypted for `who`."""
        print(f"\n{who.name} > GET /{name}")
        return self.read(who, name)

    def read(self, who: Credentials, name: str) -> bytes:
        """As `get`, without a word."""
        kept = self._kept[name]
        answer = self._call(
            who, "GET", name, "decrypt", CiphertextBlob=kept.blob, EncryptionContext=kept.context
        )
        plaintext: bytes = answer["Plaintext"]
        return plaintext

    def stolen(self, name: str) -> Document:
        """The document as it lies on the service's disks."""
        return self._kept[name]

    def _call(self, who: Credentials, method: str, name: str, operation: str, **members: Any) -> Any:
        signed = self._stage.signed_for(who, PRINCIPAL.partition(".")[0], method, f"/{name}")
        return self._stage.forwarded(self.own, signed, operation, **members)
