import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.question_terms import (
    MAX_TERMS,
    normalized,
    question_terms,
)


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("What did I say about the hotel in Lisbon?", ["Lisbon", "hotel"]),
        ("Wie war nochmal das WLAN-Passwort?", ["WLAN-Passwort", "nochmal"]),
        ("¿Cuándo es la cita con el dentista?", ["dentista", "cita"]),
        ("Où est l'hôtel ?", ["hôtel"]),
        ("Why doesn't Ann's 2.5 l kettle boil?", ["kettle", "boil", "Ann", "2.5"]),
        ("Hello!", []),
        ("?!", []),
        ("", []),
        ("我们的预算是多少", ["我们", "们的", "的预", "预算", "算是", "是多", "多少"]),
        ("예산 얼마", ["예산", "얼마"]),
    ],
)
def test_what_a_question_is_about_is_picked_out(question, terms):
    assert question_terms(question) == terms


def test_words_that_differ_in_case_or_marks_are_one():
    assert question_terms("Hôtel HOTEL hotel") == ["Hôtel"]


@given(st.text(max_size=300))
def test_terms_are_few_and_occur_in_the_question(question):
    terms = question_terms(question)

    assert len(terms) <= MAX_TERMS
    assert all(term and term in question for term in terms)


@given(st.text(max_size=100))
def test_case_and_marks_make_no_difference_to_a_comparison(text):
    assert normalized(normalized(text)) == normalized(text)
