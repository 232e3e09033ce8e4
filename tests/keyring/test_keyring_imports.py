"""The way of imported material into the key ring."""

import pickle

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from keystead import errors
from keystead.crypto import keywrap
from keystead.crypto.secret import SECRET_ACCESS
from keystead.crypto.spec import KEY_TYPES
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.keyring.fresh import FreshPair
from keystead.keyring.imports import make_offer, open_offer

ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ENTROPY = SystemEntropy()


@pytest.fixture(scope="module")
def keyring():
    return Keyring(b"r" * 32, ENTROPY)


@pytest.mark.parametrize("algorithm", sorted(keywrap.ALGORITHMS))
def test_what_is_wrapped_for_an_offer_comes_out(keyring, algorithm):
    public, token = make_offer(keyring, ARN, "RSA_2048", algorithm, 7.0)
    offer = open_offer(keyring, ARN, token)
    wrapped = keywrap.wrap(public, b"m" * 32, algorithm, ENTROPY)
    assert offer.expires == 7.0
    assert offer.unwrap(wrapped, "SYMMETRIC_DEFAULT").expose(SECRET_ACCESS) == b"m" * 32
    with pytest.raises(errors.BadKeyMaterial):
        offer.unwrap(wrapped, "HMAC_512")
    with pytest.raises(errors.DecryptionFailed):
        offer.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "SYMMETRIC_DEFAULT")


def test_a_token_is_short_enough_and_good_for_one_place(keyring):
    _, token = make_offer(keyring, ARN, "RSA_4096", "RSAES_OAEP_SHA_256", 7.0)
    assert len(token) <= 6144
    for context, sealed in ((ARN + "0", token), (ARN, token[:-1]), (ARN, b"\0" * len(token))):
        with pytest.raises(errors.DecryptionFailed):
            open_offer(keyring, context, sealed)
    with pytest.raises(errors.DecryptionFailed):
        keyring.open_token("grant", token, ARN)


def test_an_offer_prints_no_key_and_does_not_travel(keyring):
    _, token = make_offer(keyring, ARN, "RSA_2048", "RSAES_OAEP_SHA_256", 7.0)
    offer = open_offer(keyring, ARN, token)
    assert repr(offer) == "<Offer>"
    with pytest.raises(TypeError):
        pickle.dumps(offer)


PAIRS = [name for name in KEY_TYPES if not name.startswith(("HMAC_", "SYMMETRIC_"))]


@pytest.mark.parametrize("spec", PAIRS)
def test_a_fresh_pairs_halves_belong_together(spec):
    pair = FreshPair(spec)
    private = load_der_private_key(pair.private.expose(SECRET_ACCESS), None)
    assert private.public_key() == load_der_public_key(pair.public_der)
    assert repr(pair) == "<FreshPair>"
