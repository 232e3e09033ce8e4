"""The questions that policies can be asked. Each answer "allowed" holds a request that the evaluator has confirmed."""

from keystead.analysis.questions.granted import Access, Granted, access_granted
from keystead.analysis.questions.new_access import NewAccess, new_access
from keystead.analysis.questions.public import Public, public_access

__all__ = ["Access", "Granted", "NewAccess", "Public", "access_granted", "new_access", "public_access"]
