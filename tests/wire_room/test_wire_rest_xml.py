"""REST with XML: members in the query and in headers."""

from __future__ import annotations

from collections import Counter
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import Serialization
from keystead.wire import uri
from keystead.wire.models.s3 import SERVICE


@given(st.text(alphabet="ab=&%+2Fcé0", max_size=30) | st.text(max_size=20))
def test_a_query_is_read_as_the_standard_library_reads_it(query: str) -> None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=uri.MOST_FIELDS)
    except ValueError:
        with pytest.raises(Serialization):
            uri.fields_of(query)
    else:
        first: dict[str, str] = {}
        for name, value in pairs:
            first.setdefault(name, value)
        assert uri.fields_of(query) == first


@pytest.mark.parametrize(("fields", "fits"), [(uri.MOST_FIELDS, True), (uri.MOST_FIELDS + 1, False)])
def test_a_query_has_a_bound(fields: int, fits: bool) -> None:
    query = "&".join(["a=b"] * fields)
    if fits:
        assert uri.fields_of(query) == {"a": "b"}
        return
    with pytest.raises(Serialization):
        uri.fields_of(query)


@pytest.mark.parametrize("operation", sorted(SERVICE.operations))
def test_no_two_members_of_a_request_share_a_header_or_a_parameter(operation: str) -> None:
    members = SERVICE.operations[operation].input.MEMBERS
    places = Counter(
        (member.location, member.name.lower())
        for member in members
        if member.location in {"header", "querystring"}
    )
    assert all(count == 1 for count in places.values())
