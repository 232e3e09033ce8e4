"""`keystead dev` as a process of its own, to be stopped in every way a process can be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from processes import children, runs, wait_until
from signed_http import Client, get

ACCESS_KEY_ID = "AKIDHELPER0000000000"
SECRET = "helper-secret-0000000000000000000000000000"
_KEYSTEAD = Path(sys.executable).with_name("keystead")


class DevServer:
    """One server process on a free port; standard output and error go to files that grow over restarts."""

    def __init__(
        self,
        data_dir: Path,
        logs: Path,
        *options: str,
        secret: str = SECRET,
        environment: dict[str, str] | None = None,
        **spawn: Any,
    ) -> None:
        self.data_dir = data_dir
        self.logs = logs
        self.options = options
        self.secret = secret
        self.spawn = spawn
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        logs.mkdir(parents=True, exist_ok=True)

    def start(self) -> Self:
        """Returns once the ready line is out.

        Raises:
            RuntimeError: the process ended instead; the message is what it said.
        """
        command = [
            str(_KEYSTEAD), "dev", "--listen", "127.0.0.1:0", "--data-dir", str(self.data_dir),
            "--access-key-id", ACCESS_KEY_ID, "--secret-access-key", self.secret, *self.options,
        ]  # fmt: skip
        with (self.logs / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
                env=self.environment, **self.spawn,
            )  # fmt: skip
        line = self._line()
        if not line.startswith("keystead ready on "):
            self.process.wait(300)
            raise RuntimeError(line + (self.logs / "stderr").read_text(errors="replace")[-2000:])
        self.port = int(line.rpartition(":")[2])
        return self

    def _line(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        with (self.logs / "stdout").open("ab") as out:
            out.write(line)
        return line.decode(errors="replace")

    def client(self, **parts: Any) -> Client:
        return Client(self.port, ACCESS_KEY_ID, self.secret, **parts)

    def ready(self) -> tuple[int, str]:
        """Status and body of /readyz."""
        answer = get(self.port, "/readyz")
        return answer.status, answer.body.decode()

    def kill(self) -> None:
        """The process is gone as by a power cut, as far as it knows; and so are its workers, which end in order."""
        workers = (
            children(self.process.pid) if self.process is not None and "--workers" in self.options else ()
        )
        self._end(signal.SIGKILL)
        wait_until(lambda: not any(map(runs, workers)))  # who starts next would find that they still write

    def stop(self) -> int:
        """The exit status after SIGTERM."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        assert process.stdout is not None
        with process.stdout as rest, (self.logs / "stdout").open("ab") as out:
            out.write(rest.read())
        return process.wait(300)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.kill()
