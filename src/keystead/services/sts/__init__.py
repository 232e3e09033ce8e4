"""AWS STS: who a caller is. Refuses to know anything of keys."""

from keystead.services.sts.service import STS

__all__ = ["STS"]
