"""Where a story is played: a server of its own, callers with credentials, and what the reader sees."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from keystead.cli.output import Failed
from keystead.settings import without_settings

WIDTH = 100
_SPACE = "\N{NO-BREAK SPACE}"
"""Where a line must not be broken."""
REGION = "us-east-1"
_COMMANDS = {"s3": "s3api"}
"""Services that the aws command calls otherwise."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_KEYSTEAD = [sys.executable, "-c", "from keystead.cli.main import main; main()"]


class Credentials(msgspec.Struct, frozen=True):
    """Somebody's access key; the repr keeps the secret to itself."""

    name: str
    access_key_id: str
    secret: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.name})"


class Stage:
    """A server with an empty data directory, for one story; gone with it."""

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            place = tempfile.TemporaryDirectory(prefix="keystead-demo-", ignore_cleanup_errors=True)
            self._directory = Path(opened.enter_context(place))
            self._session = import_module("botocore.session").get_session()
            self._failures = import_module("botocore.exceptions")
            self._clients: dict[tuple[str, str], Any] = {}
            self._server = subprocess.Popen(  # noqa: S603  this very program
                [
                    *_server(os.getpid()), "dev", "--listen", "127.0.0.1:0", "--data-dir", str(self.data_dir),
                    "--manual-clock", "--log-level", "error",
                ],
                stdout=subprocess.PIPE, text=True, env=without_settings(os.environ),
            )  # fmt: skip
            opened.callback(self._end)
            self.url, self.root = self._announced()
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _end(self) -> None:
        self._server.terminate()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()
        for client in self._clients.values():
            client.close()

    @property
    def data_dir(self) -> Path:
        """The server's data directory."""
        return self._directory / "data"

    def _announced(self) -> tuple[str, Credentials]:
        """Where the server listens, and the root credentials that it prints."""
        assert self._server.stdout is not None
        told: dict[str, str] = {}
        for line in self._server.stdout:
            name, _, value = line.removeprefix("export ").rstrip("\n").partition("=")
            told[name] = value
            if name == "AWS_SECRET_ACCESS_KEY":
                root = Credentials("root", told["AWS_ACCESS_KEY_ID"], value)
                return told["AWS_ENDPOINT_URL"], root
        raise Failed("the server of the demonstration did not start")

    def tell(self, play: Callable[[Stage], None]) -> None:
        """Play a story.

        Raises:
            Failed: something did not go as the story says.
        """
        try:
            play(self)
        except self._failures.ClientError as error:
            raise Failed(f"the story fails here: {error}") from None

    # ------------------------------------------------------------------ what is seen

    def say(self, text: str) -> None:
        """Print a paragraph of plain words."""
        print("\n" + textwrap.fill(" ".join(text.split()), WIDTH))

    def chapter(self, title: str) -> None:
        """Print the title of a part of the story."""
        print(f"\n{title}\n{'=' * len(title)}")

    def show(self, text: str) -> None:
        """Print an outcome below a command."""
        print(textwrap.indent(text, "    "))

    # --------------------------------------------------------------------- commands

    def keystead(self, *words: str) -> Any:
        """What a `keystead` command prints as JSON."""
        command = [*_KEYSTEAD, *words, "--data-dir", str(self.data_dir), "--output", "json"]
        done = subprocess.run(  # noqa: S603  this very program
            command, check=False, capture_output=True, text=True, env=without_settings(os.environ)
        )
        if done.returncode:
            raise Failed(done.stderr.strip())
        return json.loads(done.stdout)

    def quietly(self, who: Credentials, service: str, operation: str, **members: Any) -> Any:
        """The answer of a call that is not part of the story."""
        return getattr(self._client(who, service), operation)(**members)

    def file(self, name: str, policy: dict[str, Any]) -> None:
        """Show what is in a policy's file, one statement after the other."""
        print(f"\n    # {name}")
        for statement in policy["Statement"]:
            for member, value in statement.items():
                line = f"{member}: {value if isinstance(value, str) else json.dumps(value)}"
                self.show(textwrap.fill(line, WIDTH - 4, subsequent_indent="    ", break_on_hyphens=False))
            print()

    def run(
        self,
        who: Credentials,
        service: str,
        operation: str,
        shown: dict[str, str] | None = None,
        **members: Any,
    ) -> Any:
        """The answer of a call that the story shows and that must succeed; `shown` says some members otherwise."""
        self._print_command(who, service, operation, {**members, **(shown or {})})
        try:
            return self.quietly(who, service, operation, **members)
        except self._failures.ClientError as error:
            raise Failed(f"the story fails here: {error}") from None

    def refused(
        self,
        who: Credentials,
        service: str,
        operation: str,
        shown: dict[str, str] | None = None,
        **members: Any,
    ) -> str:
        """Show a call that must be refused, and by which rule; the error's code."""
        self._print_command(who, service, operation, {**members, **(shown or {})})
        return self.is_refused(lambda: self.quietly(who, service, operation, **members))

    def is_refused(self, call: Any) -> str:
        """Show that `call` is refused, and why; the error's code.

        Raises:
            Failed: it is not refused.
        """
        try:
            call()
        except self._failures.ClientError as error:
            code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            self.show(
                textwrap.fill(
                    f"{code}: {text}" if text else code,
                    WIDTH - 4,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
            if code in _DENIED:
                self.why(error.response["ResponseMetadata"]["RequestId"])
            return str(code)
        raise Failed("the story fails here: the call should have been refused")

    def why(self, decision: str) -> None:
        """Show what `keystead why` says of a refusal."""
        print(f"    $ keystead why {decision}")
        command = [*_KEYSTEAD, "why", decision, "--data-dir", str(self.data_dir)]
        done = subprocess.run(  # noqa: S603  this very program
            command, check=False, capture_output=True, text=True, env=without_settings(os.environ)
        )
        if done.returncode:
            raise Failed(done.stderr.strip())
        self.show(textwrap.indent(done.stdout.rstrip(), "  "))

    def pass_days(self, days: int) -> None:
        """Move the server's clock, which runs what falls due meanwhile."""
        body = json.dumps({"advance_seconds": days * 86_400}).encode()
        request = self._signed(self.root, "kms", "POST", f"{self.url}/dev/clock", body)
        sender = import_module("botocore.httpsession").URLLib3Session()
        answer = sender.send(request.prepare())
        if answer.status_code != 200:  # noqa: PLR2004  HTTP's success
            raise Failed(f"the clock does not move: {answer.text}")
        sender.close()

    def _print_command(self, who: Credentials, service: str, operation: str, members: dict[str, Any]) -> None:
        options = [f"--{_dashed(name)} {_shown(value)}" if name else value for name, value in members.items()]
        words = [f"{who.name} $ aws {_COMMANDS.get(service, service)}", operation.replace("_", "-"), *options]
        print("\n" + _wrapped(words))

    def _client(self, who: Credentials, service: str) -> Any:
        place = (who.access_key_id, service)
        if place not in self._clients:
            config = import_module("botocore.config").Config(retries={"total_max_attempts": 1})
            self._clients[place] = self._session.create_client(
                service,
                region_name=REGION,
                endpoint_url=self.url,
                aws_access_key_id=who.access_key_id,
                aws_secret_access_key=who.secret,
                aws_session_token=who.token,
                config=config,
            )
        return self._clients[place]

    def _signed(self, who: Credentials, service: str, method: str, url: str, body: bytes) -> Any:
        requests, auth = import_module("botocore.awsrequest"), import_module("botocore.auth")
        request = requests.AWSRequest(method, url, data=body)
        keys = import_module("botocore.credentials").Credentials(who.access_key_id, who.secret, who.token)
        auth.SigV4Auth(keys, service, REGION).add_auth(request)
        return request


def _server(parent: int) -> list[str]:
    """The same program, which ends with its parent even if that is killed."""
    ends = f"from keystead.hardening import end_with; end_with({parent}) or exit(1)"
    return [*_KEYSTEAD[:2], f"{ends}; {_KEYSTEAD[2]}"]


def _dashed(name: str) -> str:
    """A member's name as the aws command has it: `KeyId` is `key-id`."""
    return str(import_module("botocore").xform_name(name, "-"))


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"fileb://<({len(value)} bytes {base64.b64encode(value[:6]).decode()}…)"
    if isinstance(value, str) and value.startswith("$("):
        return value
    if isinstance(value, str):
        return value if value and " " not in value and not value.startswith("{") else f"'{_compact(value)}'"
    return f"'{json.dumps(value)}'"


def _compact(text: str) -> str:
    """A policy in one line; long ones are cut, since the words beside them tell what they say."""
    joined = " ".join(text.split())
    most = 300
    return joined if len(joined) <= most else joined[:most] + " …"


def _wrapped(words: list[str]) -> str:
    """The words in lines of `WIDTH` at most, each word on one line where it fits."""
    held = [word.replace(" ", _SPACE) if len(word) < WIDTH - 6 else word for word in words]
    filled = textwrap.fill(
        " ".join(held), WIDTH, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
    )
    return filled.replace(_SPACE, " ")
