import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.markdown import as_text, link_to


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("plain, 3.5 words!", "plain, 3.5 words!"),
        ("*bold* _it_ `code`", "\\*bold\\* \\_it\\_ \\`code\\`"),
        ("[a](javascript:alert)", "\\[a\\](javascript:alert)"),
        ("<img src=x onerror=1>", "\\<img src=x onerror=1\\>"),
        ("two\nlines\n\n# head", "two lines # head"),
        ("# head", "\\# head"),
        ("- item", "\\- item"),
        ("1. first", "1\\. first"),
        ("> quote", "\\> quote"),
        ("see https://evil.example", "see https\\://evil.example"),
        ("see www.evil.example", "see www\\.evil.example"),
        ("me@evil.example", "me\\@evil.example"),
        ("a &lt; b", "a \\&lt; b"),
    ],
)
def test_text_stays_text(text, markdown):
    assert as_text(text) == markdown


@given(st.text(alphabet="\\`*_[]()<>&~|$#a ", max_size=20))
def test_unescaping_gives_the_text_back(text):
    unescaped = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", as_text(text))

    assert unescaped == " ".join(text.split())


def test_a_link_leads_to_the_place_whatever_its_title_and_ids_are():
    assert link_to("a [b](c)", "c/1 (x)", "e%2") == (
        "[a \\[b\\](c)](#/c/c%2F1%20%28x%29/e%252)"
    )
    assert link_to("t", "c") == "[t](#/c/c)"
