"""What AWS has not: advice on keys. It owns the facts that advice is drawn from, and refuses to know what is advised."""

from keystead.services.keystead.service import KEYSTEAD

__all__ = ["KEYSTEAD"]
