"""An OpenID Connect issuer on this machine: its own authority, a real HTTPS server, tokens signed on demand."""

import contextlib
import datetime as dt
import http.server
import ipaddress
import json
import ssl
import threading
import time

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """A certificate authority that issues whatever a test asks for."""

    def __init__(self, name="Test CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.certificate = (
            _builder(self.name, self.name, self.key.public_key())
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self):
        return self.certificate.public_bytes(_PEM)

    def subordinate(self, name):
        """An authority that this one has issued."""
        made = Authority(name)
        builder = _builder(made.name, self.name, made.key.public_key())
        for extension in made.certificate.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made.certificate = builder.add_extension(issuer, critical=False).sign(self.key, hashes.SHA256())
        return made

    def issue(self, subject=(), names=(), *, client=True, days=(-1, 1), serial=None, usage=None):
        """A certificate and its key, both PEM; `subject` are (OID, text) pairs, `names` general names.

        `usage` is `signing`, `issuing` (signing as well) or None: no word of it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(oid, text) for oid, text in subject])
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = _builder(name, self.name, key.public_key(), days, serial)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if usage is not None:
            issuing = usage == "issuing"
            said = x509.KeyUsage(True, False, False, False, False, issuing, issuing, False, False)
            builder = builder.add_extension(said, critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=not subject)
        certificate = builder.sign(self.key, hashes.SHA256())
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return certificate.public_bytes(_PEM), private


def _builder(subject, issuer, key, days=(-1, 30), serial=None):
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
    )


def server_names():
    return [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


class Issuer:
    """An issuer; `pages` are what it answers by path, `asked` the paths it was asked for."""

    def __init__(self, authority, directory):
        self.authority = authority
        self.keys = {}
        self.pages = {}
        self.asked = []
        certificate, key = authority.issue(names=server_names(), client=False)
        (directory / "issuer.pem").write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "issuer.pem")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _handler(issuer):  # noqa: N805  the handler's own self is another one
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                status, headers, body = issuer.page(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client may have had enough
                    self.wfile.write(body)

            def log_message(self, *given):
                pass

        return Handler

    def page(self, path):
        if path in self.pages:
            return self.pages[path]
        answers = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [self.jwk(kid) for kid in self.keys]},
        }
        if path not in answers:
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps(answers[path]).encode()

    def add_key(self, kid, kind="RSA"):
        if kind == "RSA":
            self.keys[kid] = rsa.generate_private_key(65537, 2048)
        else:
            self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def jwk(self, kid):
        key = self.keys[kid].public_key()
        rsa_key = isinstance(key, rsa.RSAPublicKey)
        algorithm = jwt.algorithms.RSAAlgorithm if rsa_key else jwt.algorithms.ECAlgorithm
        return {**json.loads(algorithm.to_jwk(key)), "kid": kid, "use": "sig"}

    def token(self, kid="k1", *, key=None, algorithm=None, headers=None, **claims):
        """A token of an hour for the audience `app` and the subject `workload-1`, unless the claims say else."""
        signer = key or self.keys[kid]
        algorithm = algorithm or ("RS256" if isinstance(signer, rsa.RSAPrivateKey) else "ES256")
        now = int(time.time())
        given = {"iss": self.url, "sub": "workload-1", "aud": "app", "iat": now, "exp": now + 3600, **claims}
        given = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(given, signer, algorithm=algorithm, headers={"kid": kid, **(headers or {})})

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
