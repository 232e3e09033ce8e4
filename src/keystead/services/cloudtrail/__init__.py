"""The CloudTrail service: looking up events, and trails that deliver them, signed, to a store outside.

Owns trails, their log files and digests. Refuses to know how events are made and kept (`audit`).
"""

from keystead.services.cloudtrail.service import CLOUDTRAIL
from keystead.services.cloudtrail.tables import is_trail

__all__ = ["CLOUDTRAIL", "is_trail"]
