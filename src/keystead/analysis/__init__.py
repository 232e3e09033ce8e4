"""Analysis: what policies allow for all requests at once, proven or refuted by a request that shows it.

It repeats the evaluator with sets in place of values, file by file, and asks the evaluator itself what statements
mean. It is pure: it refuses to know sockets, stores and clocks, and counts its work instead of timing it. What it
cannot decide it says so; it never guesses.
"""

from keystead.analysis.budget import Budget
from keystead.analysis.questions import (
    Access,
    Granted,
    NewAccess,
    Public,
    access_granted,
    new_access,
    public_access,
)
from keystead.analysis.space import Universe

__all__ = [
    "Access",
    "Budget",
    "Granted",
    "NewAccess",
    "Public",
    "Universe",
    "access_granted",
    "new_access",
    "public_access",
]
