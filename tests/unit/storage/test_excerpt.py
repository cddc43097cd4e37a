from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.storage.excerpt import Term, excerpt


def marks(text, *terms):
    snippet, highlights = excerpt(text, terms)
    return [snippet[start:end] for start, end in highlights]


def test_a_short_text_is_shown_whole():
    assert excerpt("one two", [Term("two", "word")]) == ("one two", ((4, 7),))


def test_a_long_text_is_cut_around_the_match_at_spaces():
    text = "before " * 100 + "needle " + "after " * 100

    snippet, highlights = excerpt(text, [Term("needle", "word")])

    assert snippet.startswith("…before")
    assert snippet.endswith("after…")
    assert len(snippet) <= 162
    assert [snippet[a:b] for a, b in highlights] == ["needle"]


def test_a_text_without_spaces_is_cut_too():
    snippet, highlights = excerpt(
        "字" * 500 + "針" + "字" * 500, [Term("針", "anywhere")]
    )

    assert len(snippet) == 162
    assert [snippet[a:b] for a, b in highlights] == ["針"]


def test_without_a_match_the_beginning_is_shown():
    snippet, highlights = excerpt("word " * 100, [Term("missing", "word")])

    assert snippet.startswith("word word")
    assert highlights == ()


def test_lines_become_one_line():
    assert excerpt("a\nb\tc\r\nd", [])[0] == "a b c  d"


def test_words_phrases_and_beginnings_are_told_apart():
    text = "open opening reopen open-air"

    assert marks(text, Term("open", "word")) == ["open", "open"]
    assert marks(text, Term("open", "beginning")) == ["open", "opening", "open"]
    assert marks(text, Term("open", "anywhere")) == ["open"] * 4
    assert marks(text, Term("open air", "word")) == ["open-air"]


def test_marks_that_touch_become_one():
    assert marks("abcd", Term("ab", "anywhere"), Term("bc", "anywhere")) == ["abc"]


def test_case_and_marks_do_not_matter():
    assert marks("ÉCOLE Straße İstanbul", Term("ecole", "word")) == ["ÉCOLE"]
    assert marks("ÉCOLE Straße İstanbul", Term("istanbul", "word")) == ["İstanbul"]
    assert marks("ecole", Term("École", "word")) == ["ecole"]


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_highlights_lie_in_the_snippet_in_order(text, words):
    terms = [
        Term(word, where)
        for word in words
        for where in ("word", "beginning", "anywhere")
    ]

    snippet, highlights = excerpt(text, terms)

    assert len(snippet) <= 162
    end = -1
    for start, stop in highlights:
        assert end < start < stop <= len(snippet)
        end = stop


@given(
    st.text(st.sampled_from("ab0 -_.B"), max_size=40),
    st.lists(
        st.builds(
            Term,
            st.text(st.sampled_from("ab0 -_A"), min_size=1, max_size=5),
            st.sampled_from(["word", "beginning", "anywhere"]),
        ),
        max_size=3,
    ),
)
def test_ascii_is_marked_as_all_other_text_is(text, terms):
    """It has a way of its own, for speed; one character more leaves that."""
    line, marks = excerpt(f"{text} .", terms)
    other, same_marks = excerpt(f"{text} …", terms)

    assert (line[:-1], marks) == (other[:-1], same_marks)
