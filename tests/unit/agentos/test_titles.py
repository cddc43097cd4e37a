from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.titles import TITLE_LENGTH, title_from


def test_a_short_first_line_is_the_title():
    assert title_from("  Which\thours?  \nThank you!") == "Which hours?"


def test_a_long_line_ends_between_two_words():
    text = "Please write a letter to the landlord about the heating that has failed"

    assert title_from(text) == (
        "Please write a letter to the landlord about the heating…"
    )


def test_a_line_without_spaces_is_cut_where_it_stands():
    assert title_from("x" * 80) == "x" * TITLE_LENGTH + "…"


@given(st.text())
def test_a_title_is_one_short_line_of_the_text(text):
    title = title_from(text)

    assert len(title) <= TITLE_LENGTH + 1
    assert title.splitlines() in ([], [title])
    assert bool(title) == bool(text.strip())
