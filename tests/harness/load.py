"""Clients that keep a server busy and remember exactly what it acknowledged."""

from __future__ import annotations

import base64
import http.client
import os
import threading
from dataclasses import dataclass, field

from signed_http import Answer, Client


@dataclass
class KeyKnown:
    """What was acknowledged of one key; `doubtful` when a change of it was sent and not answered."""

    id: str
    aliases: list[str] = field(default_factory=list)
    blobs: list[tuple[str, str]] = field(default_factory=list)
    disabled: bool = False
    doubtful: bool = False


class Load:
    """Several threads, one client each, from `start` until the server is gone.

    With `lasting` until `end` instead: who is cut off goes on with another key, as others than the one that was killed answer.
    """

    def __init__(self, client: Client, threads: int, name: str, *, lasting: bool = False) -> None:
        self.keys: list[KeyKnown] = []
        self.request_ids: list[str] = []
        self._client = client
        self._lasting = lasting
        self._ending = threading.Event()
        self._acknowledged = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(f"{name}-{number}",), daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Returns once `count` calls were acknowledged."""
        for _ in range(count):
            assert self._acknowledged.acquire(timeout=300), "the server stopped answering"

    def end(self) -> None:
        """None; no thread begins with another key."""
        self._ending.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(300)
            assert not thread.is_alive()

    def _run(self, name: str) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            try:
                self._one_key(f"{name}-{number}", number)
            except (OSError, http.client.HTTPException):
                if not self._lasting:
                    return  # the server is gone

    def _one_key(self, name: str, number: int) -> None:
        tags = [{"TagKey": "made-by", "TagValue": name}]
        key = KeyKnown(self._call("CreateKey", {"Description": name, "Tags": tags})["KeyMetadata"]["KeyId"])
        with self._lock:
            self.keys.append(key)
        key.doubtful = True
        self._call("CreateAlias", {"AliasName": f"alias/{name}", "TargetKeyId": key.id})
        key.aliases.append(f"alias/{name}")
        key.doubtful = False
        for _ in range(4):
            plaintext = base64.b64encode(os.urandom(16)).decode()
            blob = self._call("Encrypt", {"KeyId": key.id, "Plaintext": plaintext})["CiphertextBlob"]
            key.blobs.append((blob, plaintext))
        if number % 3 == 0:
            key.doubtful = True
            self._call("DisableKey", {"KeyId": key.id})
            key.disabled, key.doubtful = True, False

    def _call(self, operation: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        answer: Answer = self._client.call(operation, body)
        assert answer.status == 200, answer.body
        with self._lock:
            self.request_ids.append(answer.headers["x-amzn-requestid"])
        self._acknowledged.release()
        return answer.document if answer.body else {}
