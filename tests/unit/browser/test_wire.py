"""The codec of the border, against the vectors that JavaScript is held to as well."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.browser.wire import Blob, as_record, decode, encode
from pyodide_app.storage.records import Conversation, Page

VECTORS = json.loads((Path(__file__).parents[2] / "data/wire-vectors.json").read_text())

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["$", "a", "v", "i", "__proto__"]) | st.text("ab$"), inner
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_crosses_and_comes_back_the_same(vector):
    """Python reads and writes exactly what JavaScript does."""
    blobs = [bytes.fromhex(blob) for blob in vector["blobs"]]

    value = decode(vector["json"], blobs, bytes)
    text, parts = encode(value)

    assert json.loads(text) == json.loads(vector["json"])
    assert parts == blobs


@given(VALUES)
def test_any_value_comes_back_equal(value):
    """Encoding and decoding are each other's inverse."""
    text, parts = encode(value)

    assert decode(text, parts, bytes) == value


def test_a_long_number_in_a_text_is_no_number():
    """The quick look for large integers may err only on the safe side."""
    assert json.loads(encode(["1234567890123456789"])[0]) == ["1234567890123456789"]


def test_values_are_encoded_as_javascript_does():
    """To the character: the same text for the same value on both sides."""
    value = {"a": [1, 0.1 + 0.2, None, True, "é"], "b": b"\1", "c": b"\2"}

    text, blobs = encode(value)

    assert text == (
        '{"a":[1,0.30000000000000004,null,true,"é"],'
        '"b":{"$":"blob","i":0},"c":{"$":"blob","i":1}}'
    )
    assert blobs == [b"\1", b"\2"]


def test_bytes_beside_a_mark_of_ones_own_are_not_confused():
    """The quick look for marks counts its own."""
    value = [b"\1", {"$": "blob", "i": 0}, 2**63 - 1]

    text, blobs = encode(value)

    assert decode(text, blobs, bytes) == value


@pytest.mark.parametrize(
    "text", ['{"$":"later"}', '{"$":"blob","i":1}', '{"$":"int"}', '{"$":"object"}']
)
def test_a_malformed_mark_is_a_value_error(text):
    """Whatever is wrong with it, the caller has one error to expect."""
    with pytest.raises(ValueError, match="mark"):
        decode(text, [], bytes)


def test_what_is_no_data_is_refused():
    """A live object never crosses."""
    with pytest.raises(TypeError):
        encode({"x": object()})


def test_a_blob_is_handed_through_untouched():
    """Bytes that stay outside the heap cross by their handle."""
    handle = object()

    _, parts = encode({"bytes": Blob(handle)})

    assert parts == [handle]


def test_records_get_the_names_of_javascript_and_metadata_keeps_its_own():
    """Only our fields are renamed."""
    conversation = Conversation("c", "u", "p", 1, 2, {"my_key": {"in_it": 1}})

    record = as_record(Page((conversation,), None))

    assert record["nextCursor"] is None
    assert record["items"][0]["userId"] == "u"
    assert record["items"][0]["metadata"] == {"my_key": {"in_it": 1}}


def test_a_title_becomes_a_field_of_its_own():
    """JavaScript has no property on a record; the title is computed here."""
    record = as_record(Conversation("c", "u", "p", 1, 2, {"title": "Hi"}))

    assert record["title"] == "Hi"
