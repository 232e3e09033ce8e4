"""A witness behind a real socket."""

import asyncio
import http.client
import threading

from keystead.audit.witness import Memory, Witness
from keystead.audit.witnessing import parse_address
from keystead.clock import ManualClock
from keystead.entropy import SystemEntropy
from keystead.http import serve


class RunningWitness:
    """A witness behind a real socket, in a thread."""

    def __init__(self, directory, log, clock=None):
        self.clock = clock or ManualClock()
        self._memory = Memory(directory)
        self.signer = self._memory.signer("witness.example/w1", SystemEntropy())
        self._witness = Witness(self._memory, self.signer, [log], self.clock)

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)))
        self._thread.start()
        ready.wait()
        return self

    async def _run(self, ready):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await serve(
            lambda request, answer: self._witness.handle(request, answer, self._loop.call_soon_threadsafe)
        )
        self.port = server.port
        ready.set()
        await self._stop.wait()
        await server.drain(5)

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._witness.close()
        self._memory.close()

    @property
    def address(self):
        return parse_address(f"http://127.0.0.1:{self.port} {self.signer.key.text}")

    def post(self, body, path="/add-checkpoint", method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request(method, path, body)
        response = connection.getresponse()
        answer = response.status, response.headers["content-type"], response.read().decode()
        connection.close()
        return answer
