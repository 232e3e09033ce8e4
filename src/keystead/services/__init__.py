"""The AWS services: each a set of operations over the same pipeline. Services never import each other."""

__all__: list[str] = []
