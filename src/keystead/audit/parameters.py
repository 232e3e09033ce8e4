"""What writes request parameters as JSON by a struct that is made for them; apart, since a compiled module makes none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

Encode = Callable[[Any], bytes]

_encode = msgspec.json.Encoder().encode


def encoder_of(labels: Sequence[str], attributes: Sequence[str], default: str | None) -> Encode:
    """What writes these attributes of a request under these labels, of which there are two at least.

    What is None is left out, but `default` stands for the first one.
    """
    fields = [
        (f"member_{place}", Any, msgspec.field(default=None, name=label))
        for place, label in enumerate(labels)
    ]
    written = msgspec.defstruct("Parameters", fields, omit_defaults=True, gc=False)
    values = attrgetter(*attributes)

    def encode(value: object) -> bytes:
        parameters: Any = written(*values(value))
        if parameters.member_0 is None:
            parameters.member_0 = default
        return _encode(parameters)

    return encode
