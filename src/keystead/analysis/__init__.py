"""Analysis: what policies allow for all requests at once, proven or refuted by a request that shows it.

It repeats the evaluator with sets in place of values, file by file, and asks the evaluator itself what statements
mean. It is pure: it refuses to know sockets, stores and clocks, and counts its work instead of timing it. What it
cannot decide it says so; it never guesses.
"""

from keystead.analysis.budget import Budget
from keystead.analysis.questions import NewAccess, new_access
from keystead.analysis.space import Universe

__all__ = ["Budget", "NewAccess", "Universe", "new_access"]
