"""One pipeline for every call: authenticate, decode, resolve, authorize, perform, record, answer.

Owns the order of these steps and what an operation is. Refuses to know any one service.
"""

from keystead.api.call import Call, Target
from keystead.api.operation import Operation, operation
from keystead.api.service import Service

__all__ = ["Call", "Operation", "Service", "Target", "operation"]
