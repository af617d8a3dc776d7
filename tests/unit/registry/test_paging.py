"""Page tokens and orders."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_registry.domain.errors import InvalidArgumentError
from tickmesh_registry.domain.ordering import Order, parse_order
from tickmesh_registry.domain.paging import Listing

LISTING = Listing("subjects", ("prefix", "filter"), (int, str))


@given(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=255),
)
def test_a_token_is_good_for_its_own_listing_only(value: int, name: str) -> None:
    token = LISTING.token((value, name))
    assert LISTING.position(token) == (value, name)
    for other in (
        Listing("versions", LISTING.parameters, LISTING.key),
        Listing("subjects", ("prefix", "other filter"), LISTING.key),
        Listing("subjects", LISTING.parameters, (str, str)),
        Listing("subjects", LISTING.parameters, (int,)),
    ):
        with pytest.raises(InvalidArgumentError, match="page_token"):
            other.position(token)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "é",
        base64.urlsafe_b64encode(b"[" * 3_000).decode(),
        base64.urlsafe_b64encode(b'{"p2": 1}').decode(),
        "a" * 10_000,
        LISTING.token((2**63, "a")),
        LISTING.token((1, "a"))[:-4],
    ],
)
def test_what_no_listing_gave_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        LISTING.position(text)
    assert caught.value.metadata["field"] == "page_token"


def test_the_first_page_needs_no_token() -> None:
    assert LISTING.position("") is None


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", Order("name")),
        ("  revision  desc ", Order("revision", descending=True)),
        ("revision", Order("revision")),
        ("name asc", Order("name")),
    ],
)
def test_an_order_is_a_field_and_a_direction(text: str, order: Order) -> None:
    assert parse_order(text, fields=("name", "revision")) == order


@pytest.mark.parametrize(
    "text", ["price", "name down", "name, revision", "desc", "NAME", "x" * 9_999]
)
def test_another_order_is_refused_with_the_fields_that_exist(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="order_by: expected one of name, revision") as e:
        parse_order(text, fields=("name", "revision"))
    assert len(e.value.message) < 300
