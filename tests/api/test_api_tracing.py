"""Traces: a span for each call with nothing of anybody in it, and nothing at all when they are off."""

import http.server
import subprocess
import sys
import threading

import pytest
from botocore.exceptions import ClientError

from keystead import errors
from keystead.testing import RunningServer

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """An OTLP/HTTP collector on loopback; `spans` are what it was sent."""

    def __init__(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.spans, self.bodies = [], []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                collector.bodies.append(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *given):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector():
    pytest.importorskip("opentelemetry.sdk", reason="the extra packages for traces are not installed")
    one = Collector()
    yield one
    one.close()


def test_each_call_has_a_span_in_its_callers_trace_that_tells_nothing_of_anybody(collector):
    with RunningServer(otlp_endpoint=collector.url) as server:
        kms = server.client()
        kms.meta.events.register(
            "before-send.kms",
            lambda request, **_: request.headers.update(traceparent=f"00-{TRACE}-{PARENT}-01"),
        )
        answer = kms.create_key(Description="SecretProject")
        key = answer["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=key, Plaintext=b"SecretProject", EncryptionContext={"SecretProject": "x"})
        with pytest.raises(ClientError):
            kms.describe_key(KeyId="nonsense")
    found = {span.name: span for span in collector.spans}
    assert set(found) == {"kms.CreateKey", "kms.Encrypt", "kms.DescribeKey"}
    told = {a.key: a.value.string_value for a in found["kms.CreateKey"].attributes}
    assert told == {
        "keystead.service": "kms",
        "keystead.operation": "CreateKey",
        "keystead.outcome": "ok",
        "keystead.request_id": answer["ResponseMetadata"]["RequestId"],
    }
    for span in found.values():
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
        assert span.end_time_unix_nano > span.start_time_unix_nano
    outcome = {a.key: a.value.string_value for a in found["kms.DescribeKey"].attributes}
    assert outcome["keystead.outcome"] == "NotFoundException"
    for body in collector.bodies:
        assert b"SecretProject" not in body
        assert key.encode() not in body


def test_a_trace_that_its_caller_does_not_keep_is_not_sent(collector):
    with RunningServer(otlp_endpoint=collector.url) as server:
        kms = server.client()
        kms.meta.events.register(
            "before-send.kms",
            lambda request, **_: request.headers.update(traceparent=f"00-{TRACE}-{PARENT}-00"),
        )
        kms.list_keys()
    assert collector.spans == []


def test_without_the_setting_nothing_of_it_is_loaded():
    code = (
        "import sys; from keystead.testing import RunningServer\n"
        "with RunningServer() as server: server.client().list_keys()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("url", ["http://example.com/v1/traces", "ftp://127.0.0.1/", "127.0.0.1:4318"])
def test_spans_go_over_tls_or_stay_on_the_machine(url):
    with pytest.raises(errors.SettingsError, match="https"), RunningServer(otlp_endpoint=url):
        pass
