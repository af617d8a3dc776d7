"""Records are cut out of a JSON text as they were written, wherever their array stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_cleaner.feeds.json_pointer import elements_at, names_of, value_at

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def cut(text: str, pointer: str) -> list[str]:
    return [text[part.begin : part.end] for part in elements_at(text, pointer)]


def test_numbers_and_strings_stay_as_they_were_written() -> None:
    text = '{"a": {"b/c": [ {"p": 1.10} , {"p": 1e400},\n\t{"p": "\\u00e9"} ]}, "z": 0}'
    assert cut(text, "/a/b~1c") == ['{"p": 1.10}', '{"p": 1e400}', '{"p": "\\u00e9"}']


@given(records=st.lists(VALUES, max_size=6), key=st.text(), indent=st.sampled_from([None, 1]))
def test_whatever_stands_around_it_the_array_is_cut_into_its_elements(
    records: list[object], key: str, indent: int | None
) -> None:
    document = [0, {"before": records, key: records, "after": [1]}]
    text = f" {json.dumps(document, indent=indent, ensure_ascii=False)}\n"
    pointer = "/1/" + key.replace("~", "~0").replace("/", "~1")
    expected = value_at(document, pointer)
    assert [json.loads(each) for each in cut(text, pointer)] == expected
    assert [json.loads(each) for each in cut(json.dumps(records), "")] == records


@pytest.mark.parametrize(
    ("text", "pointer"), [('{"a": {}}', "/a"), ('{"a": []}', "/b"), ("[1]", "/7"), ('"x"', "")]
)
def test_where_no_array_is_that_is_said(text: str, pointer: str) -> None:
    with pytest.raises(ValueError, match=r"array|nothing"):
        cut(text, pointer)


def test_a_pointer_begins_with_a_slash() -> None:
    assert names_of("/a~1b/~0/") == ("a/b", "~", "")
    with pytest.raises(ValueError, match="JSON Pointer"):
        names_of("a.b")
