"""The questions that policies can be asked. Each answer "allowed" holds a request that the evaluator has confirmed."""

from keystead.analysis.questions.new_access import NewAccess, new_access

__all__ = ["NewAccess", "new_access"]
