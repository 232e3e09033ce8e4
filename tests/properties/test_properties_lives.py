"""Lives of keys in any order of events, restarts among them: what a key refuses and what decrypts follows from a model."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from signed_http import Answer, Client

from keystead.clock import ManualClock
from keystead.testing import RunningServer

DAY = 86_400.0
CONTEXTS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=3)


@dataclass
class Life:
    """What a key must be like."""

    id: str
    state: str = "Enabled"
    rotations: int = 0
    deletion: float | None = None
    blobs: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)


class Lives(RuleBasedStateMachine):
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="keystead-lives-"))
        self.clock = ManualClock(time.time())
        self.lives: list[Life] = []
        self.start()

    def start(self) -> None:
        self.server = RunningServer(self.place, clock=self.clock).__enter__()
        self.client = Client(self.server.port, self.server.access_key_id, self.server.secret_access_key)

    def teardown(self) -> None:
        self.server.__exit__(None, None, None)
        shutil.rmtree(self.place)

    def expect(self, life: Life, answer: Answer, allowed: str) -> bool:
        """Whether it succeeded, as it must in the states that `allowed` names."""
        if life.state in allowed.split():
            assert answer.status == 200, (life, answer.body)
            return True
        wanted = {
            "Disabled": "DisabledException",
            "PendingDeletion": "KMSInvalidStateException",
            "Gone": "NotFoundException",
        }
        assert answer.code == wanted.get(life.state, "KMSInvalidStateException"), (life, answer.body)
        return False

    @rule(target=keys)
    def create(self) -> Life:
        life = Life(self.client.must("CreateKey")["KeyMetadata"]["KeyId"])
        self.lives.append(life)
        return life

    @rule(life=keys, context=CONTEXTS)
    def encrypt(self, life: Life, context: dict[str, str]) -> None:
        plaintext = os.urandom(20)
        body = {
            "KeyId": life.id,
            "Plaintext": base64.b64encode(plaintext).decode(),
            "EncryptionContext": context,
        }
        answer = self.client.call("Encrypt", body)
        if self.expect(life, answer, "Enabled"):
            life.blobs.append((answer.document["CiphertextBlob"], plaintext, context))

    @rule(life=keys)
    def disable(self, life: Life) -> None:
        if self.expect(life, self.client.call("DisableKey", {"KeyId": life.id}), "Enabled Disabled"):
            life.state = "Disabled"

    @rule(life=keys)
    def enable(self, life: Life) -> None:
        if self.expect(life, self.client.call("EnableKey", {"KeyId": life.id}), "Enabled Disabled"):
            life.state = "Enabled"

    @rule(life=keys)
    def rotate(self, life: Life) -> None:
        if self.expect(life, self.client.call("RotateKeyOnDemand", {"KeyId": life.id}), "Enabled"):
            life.rotations += 1
            self.server.advance(0)

    @rule(life=keys, days=st.integers(7, 30))
    def schedule_deletion(self, life: Life, days: int) -> None:
        answer = self.client.call("ScheduleKeyDeletion", {"KeyId": life.id, "PendingWindowInDays": days})
        if self.expect(life, answer, "Enabled Disabled"):
            life.state, life.deletion = "PendingDeletion", answer.document["DeletionDate"]

    @rule(life=keys)
    def cancel_deletion(self, life: Life) -> None:
        answer = self.client.call("CancelKeyDeletion", {"KeyId": life.id})
        if life.state in {"Enabled", "Disabled"}:
            assert answer.code == "KMSInvalidStateException"
        elif self.expect(life, answer, "PendingDeletion"):
            life.state, life.deletion = "Disabled", None

    @rule(life=consumes(keys))
    def let_it_die(self, life: Life) -> None:
        if life.state == "PendingDeletion":
            assert life.deletion is not None
            self.pass_time(max(0.0, life.deletion - self.clock.now()) + DAY)
            assert life.state == "Gone"

    @rule(days=st.floats(0, 12))
    def wait(self, days: float) -> None:
        self.pass_time(days * DAY)

    def pass_time(self, seconds: float) -> None:
        self.server.advance(seconds)
        for life in self.lives:
            if life.deletion is None:
                continue
            overdue = self.clock.now() - life.deletion
            there = self.client.call("DescribeKey", {"KeyId": life.id}).status == 200
            # AWS deletes up to a day after the date; never before it.
            assert there or overdue >= 0
            assert not there or overdue < DAY
            if not there:
                life.state, life.deletion = "Gone", None

    @rule()
    def restart(self) -> None:
        self.server.__exit__(None, None, None)
        self.start()

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        listed = {entry["KeyId"] for entry in self.client.must("ListKeys")["Keys"]}
        assert listed == {life.id for life in self.lives if life.state != "Gone"}
        for life in self.lives:
            described = self.client.call("DescribeKey", {"KeyId": life.id})
            if self.expect(life, described, "Enabled Disabled PendingDeletion"):
                assert described.document["KeyMetadata"]["KeyState"] == life.state
            for blob, plaintext, context in life.blobs[-2:] + life.blobs[:1]:
                answer = self.client.call("Decrypt", {"CiphertextBlob": blob, "EncryptionContext": context})
                if life.state == "Gone":
                    assert answer.code == "InvalidCiphertextException"
                elif self.expect(life, answer, "Enabled"):
                    assert base64.b64decode(answer.document["Plaintext"]) == plaintext


Lives.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLives = Lives.TestCase
