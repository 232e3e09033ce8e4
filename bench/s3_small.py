"""Requests of 4 KiB to the S3 gateway on one core, 32 connections, beside moto and beside nginx that answers 200.

    python bench/s3_small.py [--seconds N] [--rounds N] [--connections N]

Each server runs on the first core and wrk on the second; the rounds alternate between the servers. Objects ask for SSE-KMS
with a bucket key; each PUT names a key of its own and is durable when it is answered (moto keeps objects in memory). Requests
are signed URLs. `a second` is what one core does; what nginx takes of it in the same run tells what that core is worth.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from s3 import HEADERS, SMALL, Served, cpu_of, running

KINDS = ("sealed", "plain", "moto")
KEYS = 3000
"""So many different objects are put; after them the first are put again."""
ASKED = 300
"""So many of them are asked for."""
_SCRIPT = """
local lines, at, method, body = {{}}, 0, "{method}", nil
for line in io.lines("{paths}") do lines[#lines + 1] = line end
if method == "PUT" then
  local file = io.open("{body}", "rb"); body = file:read("*a"); file:close()
  {headers}
end
request = function() at = at % #lines + 1; return wrk.format(method, lines[at], nil, body) end
response = function(status) if status ~= 200 then wrk.thread:set("bad", (wrk.thread:get("bad") or 0) + 1) end end
"""
_NGINX = """
worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.err;
events {{ worker_connections 256; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {work};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }} }}
"""


class Load:
    """What wrk is given, in files."""

    def __init__(self, work: Path, connections: int, seconds: float) -> None:
        self._work = work
        self._connections = connections
        self._seconds = seconds
        self._body = work / "body"
        self._body.write_bytes(os.urandom(SMALL))

    def script(self, name: str, method: str, paths: list[str]) -> Path:
        """A script for wrk that asks for one path after the other."""
        lines, script = self._work / f"{name}.paths", self._work / f"{name}.lua"
        lines.write_text("\n".join(paths))
        headers = "\n  ".join(f'wrk.headers["{name}"] = "{value}"' for name, value in HEADERS.items())
        script.write_text(_SCRIPT.format(method=method, paths=lines, body=self._body, headers=headers))
        return script

    def run(self, script: Path, url: str) -> int:
        """How many requests were answered with 200.

        Raises:
            AssertionError: some were not.
        """
        command = ["wrk", "-t1", f"-c{self._connections}", f"-d{self._seconds}s", "-s", str(script), url]
        said = subprocess.run(
            ["taskset", "-c", "1", *command], check=True, capture_output=True, text=True
        ).stdout
        if "Non-2xx" in said or "Socket errors" in said:
            raise AssertionError(said)
        return next(int(line.split()[0]) for line in said.splitlines() if " requests in " in line)


def measured(load: Load, script: Path, url: str, pid: int) -> tuple[float, float]:
    """Requests a second, and milliseconds of the server's processor for each."""
    started, before = time.perf_counter(), cpu_of(pid)
    count = load.run(script, url)
    return count / (time.perf_counter() - started), 1000 * (cpu_of(pid) - before) / count


def of_gateway(load: Load, servers: list[Served], rounds: int) -> dict[str, Any]:
    """Medians by server."""
    scripts = {
        (server.kind, method): load.script(
            f"{server.kind}-{method}",
            method,
            [server.path(f"{method.lower()}_object", f"small/{number}") for number in range(count)],
        )
        for server in servers
        for method, count in (("PUT", KEYS), ("GET", ASKED))
    }
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for server in servers:
        fill(server)
    for number in range(rounds + 1):  # the first warms up
        for method in ("PUT", "GET"):
            for server in servers:
                found = measured(load, scripts[server.kind, method], server.s3.meta.endpoint_url, server.pid)
                if number:
                    taken.setdefault((method, server.kind), []).append(found)
    return {
        f"{method} {kind}": {
            "a second": round(statistics.median(row[0] for row in rows)),
            "server cpu ms": round(statistics.median(row[1] for row in rows), 3),
        }
        for (method, kind), rows in taken.items()
    }


def fill(server: Served) -> None:
    """None; every object that is asked for is there."""
    body = os.urandom(SMALL)
    for number in range(ASKED):
        server.s3.put_object(
            Bucket="bench",
            Key=f"small/{number}",
            Body=body,
            ServerSideEncryption="aws:kms",
            BucketKeyEnabled=True,
        )


def of_nginx(load: Load, work: Path) -> float:
    """Microseconds of processor that nginx takes to answer `ok`."""
    port = 9199
    configuration = work / "nginx.conf"
    configuration.write_text(_NGINX.format(work=work, port=port))
    options = ["-p", str(work), "-e", str(work / "nginx.err"), "-c", str(configuration)]
    with subprocess.Popen(
        ["taskset", "-c", "0", "nginx", *options, "-g", "daemon off; master_process off;"]
    ) as process:
        time.sleep(0.5)
        _, cost = measured(load, load.script("nginx", "GET", ["/"]), f"http://127.0.0.1:{port}", process.pid)
        process.terminate()
    return round(1000 * cost, 1)


@contextmanager
def all_running(directory: Path) -> Iterator[list[Served]]:
    """A block with every server."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(kind, directory, core=0)) for kind in KINDS]


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None or shutil.which("taskset") is None:
        raise SystemExit("bench/s3_small.py: wrk and taskset are not installed")
    with tempfile.TemporaryDirectory() as made:
        load = Load(Path(made), arguments.connections, arguments.seconds)
        result: dict[str, Any] = {"connections": arguments.connections, "load average": os.getloadavg()[0]}
        if shutil.which("nginx") is not None:
            result["nginx cpu us"] = of_nginx(load, Path(made))
        with all_running(Path(made)) as servers:
            result |= of_gateway(load, servers, arguments.rounds)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
