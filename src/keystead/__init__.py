"""Keystead: a key management service that every AWS KMS client speaks to unchanged."""

__version__ = "0.1.0"
