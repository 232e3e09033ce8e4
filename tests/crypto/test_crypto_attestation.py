"""Attestation documents under an authority made here: what is believed, and each way to be wrong."""

from datetime import UTC, datetime, timedelta
from functools import cache

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import attestation, cbor, chain
from keystead.errors import BadAttestation

NOW = 1_790_000_000.0
MEASURED = bytes(range(48))
DER = serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
STRICT = "not strict CBOR"


@cache
def p384(name):
    return ec.generate_private_key(ec.SECP384R1())


@cache
def other_key(kind):
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def usage(*, sign, issue):
    return x509.KeyUsage(sign, False, False, False, False, issue, False, False, False)


def certificate(
    subject,
    issuer,
    *,
    ca=True,
    path_length=None,
    basic=True,
    key_usage=...,
    first=-3600,
    last=3600,
    hash_algorithm=None,
    key=None,
    issuer_key=None,
    extra=None,
):
    """A certificate in DER; times are seconds from NOW."""
    start = datetime.fromtimestamp(NOW, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(start + timedelta(seconds=first))
        .not_valid_after(start + timedelta(seconds=last))
        .public_key((key or p384(subject)).public_key())
    )
    if basic:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    key_usage = usage(sign=not ca, issue=ca) if key_usage is ... else key_usage
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    if extra is not None:
        builder = builder.add_extension(extra, critical=True)
    signed = builder.sign(issuer_key or p384(issuer), hash_algorithm or hashes.SHA384())
    return signed.public_bytes(DER)


@cache
def root():
    return certificate("root", "root")


@cache
def zone():
    return certificate("zone", "root")


@cache
def leaf():
    return certificate("leaf", "zone", ca=False)


def spki(key):
    return key.public_key().public_bytes(DER, SPKI)


def payload(**changes):
    said = {
        "module_id": "i-1234567890abcdef0-enc1234567890abcdef",
        "digest": "SHA384",
        "timestamp": int(NOW * 1000),
        "pcrs": {0: MEASURED, 1: bytes(48), 31: bytes(64)},
        "certificate": leaf(),
        "cabundle": [root(), zone()],
        "public_key": spki(other_key("RSA")),
        "user_data": None,
        "nonce": b"once",
    }
    said.update(changes)
    return {name: value for name, value in said.items() if value is not ...}


def signed(raw, *, signer="leaf", protected=b"\xa1\x01\x38\x22"):
    """r and s over the raw payload."""
    message = cbor2.dumps(["Signature1", protected, b"", raw])
    r, s = decode_dss_signature(p384(signer).sign(message, ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def document(said=None, *, raw=None, **envelope):
    raw = cbor2.dumps(payload() if said is None else said) if raw is None else raw
    return cbor2.dumps([b"\xa1\x01\x38\x22", {}, raw, signed(raw, **envelope)])


@cache
def good():
    return document()


def verify(blob, *, now=NOW, roots=None, **options):
    return attestation.verify(blob, (root(),) if roots is None else roots, now, **options)


def refused(blob, reason, **options):
    with pytest.raises(BadAttestation, match=reason):
        verify(blob, **options)


# ------------------------------------------------------------------------------- believed


def test_a_good_document_says_what_was_put_in():
    said = verify(good())
    assert good().startswith(bytes.fromhex("8444a1013822a0"))  # as the NSM begins
    assert said.module_id == "i-1234567890abcdef0-enc1234567890abcdef"
    assert said.digest == "SHA384"
    assert said.pcrs == {0: MEASURED, 1: bytes(48), 31: bytes(64)}
    assert said.nitrotpm_pcrs == {}
    assert said.public_key == spki(other_key("RSA"))
    assert (said.user_data, said.nonce, said.timestamp) == (None, b"once", int(NOW * 1000))


def test_tag_18_is_optional():
    assert verify(b"\xd2" + good()) == verify(good())
    refused(b"\xd2\xd2" + good(), STRICT)


def test_a_nitrotpm_has_registers_of_its_own():
    said = verify(document(payload(pcrs=..., nitrotpm_pcrs={4: MEASURED, 7: bytes(48)})))
    assert (said.pcrs, said.nitrotpm_pcrs) == ({}, {4: MEASURED, 7: bytes(48)})


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": ..., "user_data": ...},
        {"nonce": bytes(512), "user_data": bytes(512)},
        {"cabundle": [None]},  # the root alone; its leaf is made below
        {"a field of later": [1, {}]},
        {"pcrs": {0: bytes(31) + b"\1"}},
        {"pcrs": {1: MEASURED}},
    ],
)
def test_what_else_is_believed(changes):
    if "cabundle" in changes:
        changes = {"cabundle": [root()], "certificate": certificate("leaf", "root", ca=False)}
    assert verify(document(payload(**changes)))


@pytest.mark.parametrize("age", [-60, 0, 300])
def test_a_document_counts_for_five_minutes_and_a_minute_ahead(age):
    assert verify(good(), now=NOW + age)


# ------------------------------------------------------------------------------- envelope


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda parts: parts[:3], "not a COSE_Sign1"),
        (lambda parts: [*parts, 0], "not a COSE_Sign1"),
        (lambda parts: dict(enumerate(parts)), "not a COSE_Sign1"),
        (lambda parts: [{1: -35}, *parts[1:]], "not a COSE_Sign1"),
        (lambda parts: [b"\xa1\x01\x26", *parts[1:]], "not ES384"),
        (lambda parts: [b"\xa1\x01\x38\x23", *parts[1:]], "not ES384"),
        (lambda parts: [b"", {1: -35}, *parts[2:]], "not ES384"),
        (lambda parts: [parts[0], {4: b"key"}, *parts[2:]], "not ES384"),
        (lambda parts: [*parts[:2], None, parts[3]], "not a COSE_Sign1"),
        (lambda parts: [*parts[:3], parts[3] + b"\0"], "signature has a wrong length"),
        (lambda parts: [*parts[:3], parts[3][:95]], "signature has a wrong length"),
        (lambda parts: [*parts[:3], bytes(96)], "signature is not"),
        (lambda parts: [*parts[:3], b"\xff" * 96], "signature is not"),
        (lambda parts: [*parts[:3], parts[3][48:] + parts[3][:48]], "signature is not"),
    ],
)
def test_another_envelope_is_refused(change, reason):
    refused(cbor2.dumps(change(cbor2.loads(good()))), reason)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"made up",
        b"\x80" * 2,
        b"\x81" * 500,
        b"\x9f\xff",
        b"\x9b" + b"\xff" * 8,
        b"\xd8\x23\x61(",
        b"\xd8\x1c\x81\xd8\x1d\x00",
        b"\xa2\x01\x02\x01\x02",
        b"\xa2\x01\x02\xf5\x02",
        b"\x18\x01",
        b"\x62\xff\xff",
    ],
)
def test_loose_cbor_is_refused_outside_and_inside(blob):
    refused(blob, STRICT)
    refused(document(raw=blob), STRICT)


def test_trailing_bytes_and_long_heads_are_refused():
    refused(good() + b"\0", STRICT)
    refused(b"\x98\x04" + good()[1:], STRICT)
    refused(document(raw=cbor2.dumps(payload()) + b"\xf6"), STRICT)
    raw = cbor2.dumps(payload())
    twice = b"\xaa" + raw[1:] + cbor2.dumps("digest") + cbor2.dumps("SHA384")
    refused(document(raw=twice), STRICT)


def test_length_is_bounded():
    refused(good() + bytes(attestation.MOST_BYTES), "too long")


# -------------------------------------------------------------------------------- payload


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("module_id", [..., None, "", "i" * 257, b"i-1", 7]),
        ("digest", [..., None, "SHA256", "sha384", b"SHA384"]),
        ("timestamp", [..., None, 0, -1, True, float(NOW), "now"]),
        (
            "pcrs",
            [
                ...,
                None,
                {},
                [MEASURED],
                {32: MEASURED},
                {-1: MEASURED},
                {"0": MEASURED},
                {True: MEASURED},
                {0.0: MEASURED},
                {0: MEASURED[:47]},
                {0: b""},
                {0: MEASURED.hex()},
                {0: None},
            ],
        ),
        ("certificate", [..., None, b"", bytes(1025), "pem"]),
        ("cabundle", [..., None, [], [b""], [bytes(1025)], ["pem"], b"der"]),
        ("public_key", [b"", bytes(1025), "pem", 0]),
        ("user_data", [bytes(513), "text"]),
        ("nonce", [bytes(513), 1]),
    ],
)
def test_another_payload_is_refused(field, values):
    for value in values:
        refused(document(payload(**{field: value})), f"its {field} is missing")


def test_a_document_is_of_an_enclave_or_of_a_nitrotpm():
    refused(document(payload(nitrotpm_pcrs={4: MEASURED})), "its pcrs")
    refused(document(payload(pcrs=..., nitrotpm_pcrs={40: MEASURED})), "its nitrotpm_pcrs")


def test_a_payload_is_a_map():
    refused(document(raw=cbor2.dumps([payload()])), "not a map")


@pytest.mark.parametrize("age", [-60.001, 300.001])
def test_old_and_future_documents_are_refused(age):
    refused(good(), "from the future" if age < 0 else "too old", now=NOW + age)


def test_answers_need_an_rsa_key():
    for missing in (None, ...):
        refused(document(payload(public_key=missing)), "no public key")
    refused(document(payload(public_key=b"not a key")), "cannot be read")
    refused(document(payload(public_key=spki(p384("leaf")))), "not RSA of 2048")
    short = rsa.generate_private_key(65537, 1024)
    refused(document(payload(public_key=spki(short))), "not RSA of 2048")


@pytest.mark.parametrize(
    "registers", [{"pcrs": {0: bytes(48)}}, {"pcrs": ..., "nitrotpm_pcrs": {0: bytes(32)}}]
)
def test_debug_mode_is_refused_unless_it_is_allowed(registers):
    debug = document(payload(**registers))
    refused(debug, "debug mode")
    assert verify(debug, allow_debug=True)


# ---------------------------------------------------------------------------------- chain


def test_without_pinned_roots_nothing_is_believed():
    refused(good(), "no attestation root is pinned", roots=())


def test_the_root_is_pinned_whole():
    other = certificate("root", "root")  # the same name and key
    refused(good(), "pinned root", roots=(other,))
    assert verify(good(), roots=(other, root()))
    refused(document(payload(cabundle=[zone(), root()])), "pinned root")
    refused(document(payload(cabundle=[zone()])), "pinned root")


def test_another_key_than_the_leafs_does_not_sign():
    refused(document(signer="zone"), "signature is not")


def wrong_chains():
    def zone_with(**changes):
        return {"cabundle": [root(), certificate("zone", "root", **changes)]}

    def leaf_with(**changes):
        return {"certificate": certificate("leaf", "zone", **{"ca": False, **changes})}

    later = {"first": 10, "last": 20}
    eku = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    p256 = other_key("P-256")
    yield "a forged issuer", "not issued by", leaf_with(issuer_key=p384("mallory"))
    yield "a gap", "not issued by", {"cabundle": [root()]}
    yield "order", "not issued by", {"cabundle": [root(), leaf()]}
    yield "zone twice", "not issued by", {"cabundle": [root(), zone(), zone()]}
    yield "SHA-256", "SHA-384", leaf_with(hash_algorithm=hashes.SHA256())
    yield "SHA-512 above", "SHA-384", zone_with(hash_algorithm=hashes.SHA512())
    yield "P-256 leaf", "P-384", leaf_with(key=p256)
    yield "RSA leaf", "P-384", leaf_with(key=other_key("RSA"))
    yield (
        "P-256 authority",
        "P-384",
        {
            "cabundle": [root(), certificate("zone", "root", key=p256)],
            "certificate": certificate("leaf", "zone", ca=False, issuer_key=p256),
        },
    )
    yield "leaf not yet valid", "not valid at", leaf_with(**later)
    yield "leaf expired", "not valid at", leaf_with(last=-1)
    yield "zone expired", "not valid at", zone_with(last=-1)
    yield "zone is no CA", "authority's", zone_with(ca=False)
    yield "zone without constraints", "authority's", zone_with(basic=False)
    yield "zone without usage", "authority's", zone_with(key_usage=None)
    yield "zone for signatures", "authority's", zone_with(key_usage=usage(sign=True, issue=False))
    yield (
        "leaf is a CA",
        "signing certificate is an",
        leaf_with(ca=True, key_usage=usage(sign=True, issue=True)),
    )
    yield "leaf without usage", "not for signatures", leaf_with(key_usage=None)
    yield "leaf for issuing", "not for signatures", leaf_with(key_usage=usage(sign=False, issue=True))
    yield "leaf with a purpose", "critical", leaf_with(extra=eku)
    yield "zone with a purpose", "critical", zone_with(extra=eku)
    yield "unreadable leaf", "cannot be read", {"certificate": b"der"}
    yield "trailing bytes", "cannot be read", {"certificate": leaf() + b"\0"}
    yield "unreadable zone", "cannot be read", {"cabundle": [root(), b"der"]}


WRONG_CHAINS = {name: (reason, changes) for name, reason, changes in wrong_chains()}


@pytest.mark.parametrize("name", WRONG_CHAINS)
def test_another_chain_is_refused(name):
    reason, changes = WRONG_CHAINS[name]
    refused(document(payload(**changes)), reason)


def test_path_lengths_are_kept():
    tight = certificate("root", "root", path_length=0)
    direct = payload(cabundle=[tight], certificate=certificate("leaf", "root", ca=False))
    assert verify(document(direct), roots=(tight,))
    refused(document(payload(cabundle=[tight, zone()])), "longer than", roots=(tight,))
    wide = certificate("root", "root", path_length=1)
    assert verify(document(payload(cabundle=[wide, zone()])), roots=(wide,))


def test_certificates_hold_at_the_documents_time_and_now():
    brief = certificate("leaf", "zone", ca=False, first=-10, last=10)
    blob = document(payload(certificate=brief))
    assert verify(blob, now=NOW + 10)
    refused(blob, "not valid at", now=NOW + 11)
    refused(document(payload(certificate=brief, timestamp=int((NOW - 11) * 1000))), "not valid at")


def test_an_expired_root_is_no_root():
    old = certificate("root", "root", last=-1)
    refused(document(payload(cabundle=[old, zone()])), "not valid at", roots=(old,))


def test_a_root_alone_signs_nothing():
    refused(document(payload(cabundle=[root()], certificate=root())), "not for signatures|authority's")


def pem(*ders):
    return b"".join(
        x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM) for der in ders
    )


def test_roots_are_read_from_pem():
    other = certificate("other", "other")
    assert chain.roots_in(pem(root(), other)) == (root(), other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"not PEM",
        root,
        lambda: pem(leaf()),
        lambda: pem(zone()),
        lambda: pem(root(), leaf()),
    ],
)
def test_what_is_no_root_is_not_pinned(make):
    with pytest.raises(BadAttestation):
        chain.roots_in(make())


# ----------------------------------------------------------------------------- properties


@settings(max_examples=300)
@given(st.data())
def test_any_changed_bit_is_refused(data):
    position = data.draw(st.integers(0, len(good()) - 1))
    changed = bytearray(good())
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadAttestation):
        verify(bytes(changed))


@settings(max_examples=100)
@given(st.integers(0, 4096), st.binary(max_size=20))
def test_any_other_length_is_refused(cut, more):
    blob = good()[:cut] + more
    if blob != good():
        with pytest.raises(BadAttestation):
            verify(blob)


SCALARS = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text() | st.binary()
ITEMS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200)
@given(ITEMS)
def test_cbor_reads_back_what_it_wrote(item):
    try:
        assert cbor.decode(cbor.encode(item)) == item
    except BadAttestation:
        assert _depth(item) > 6


def _depth(item):
    inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return 1 + max(map(_depth, inner), default=0)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_whatever_cbor_reads_is_the_only_way_to_write_it(blob):
    try:
        item = cbor.decode(blob)
    except BadAttestation:
        return
    assert cbor.encode(item) == blob


def test_reasons_hold_nothing_of_the_document():
    with pytest.raises(BadAttestation) as caught:
        verify(document(payload(module_id="", nonce=b"secret")))
    assert str(caught.value) == "its module_id is missing or not as it must be"
