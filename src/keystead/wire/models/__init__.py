"""The generated shapes, one module for each service; `tools/generate_wire.py` writes them from
AWS's own models, and nothing here is edited by hand."""

__all__ = ["kms", "sts"]
