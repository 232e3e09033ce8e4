"""ARNs are taken apart in one way, whether what is none is an error or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from keystead.arn import Arn, account_in, parse, split

PART = some.text(some.characters(exclude_characters=":"))


@given(some.builds(Arn, PART, PART, PART, PART, some.text()))
def test_parts_are_those_it_is_made_of(made):
    assert split(str(made)) == parse(str(made)) == made
    assert account_in(str(made)) == made.account


@given(some.one_of(some.text(), some.text("arn:*/")))
def test_what_is_none_is_nothing_or_an_error(text):
    if text.startswith("arn:") and text.count(":") > 4:
        assert str(parse(text)) == text
        return
    assert (split(text), account_in(text)) == (None, "")
    with pytest.raises(ValueError, match="not an ARN"):
        parse(text)
