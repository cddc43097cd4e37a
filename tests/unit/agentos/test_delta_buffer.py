from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.delta_buffer import DeltaBuffer


def test_an_empty_buffer_is_never_due():
    assert DeltaBuffer().due_in(100.0) is None


def test_text_is_due_when_its_first_piece_is_old_enough():
    buffer = DeltaBuffer(max_age=1.0)
    buffer.add("a", 10.0)
    buffer.add("b", 10.9)

    assert buffer.due_in(10.9) == 10.0 + 1.0 - 10.9
    assert buffer.due_in(11.5) == 0.0


def test_long_text_is_due_at_once():
    buffer = DeltaBuffer(max_characters=10)
    buffer.add("0123456789", 5.0)

    assert buffer.due_in(5.0) == 0.0


def test_taking_begins_anew():
    buffer = DeltaBuffer(max_age=1.0, max_characters=3)
    buffer.add("long text", 0.0)

    assert buffer.take() == "long text"
    assert buffer.due_in(9.0) is None
    buffer.add("x", 9.0)
    assert buffer.due_in(9.0) == 1.0


@given(st.lists(st.tuples(st.text(max_size=5), st.floats(0, 1), st.booleans())))
def test_nothing_is_lost_or_doubled(steps):
    buffer = DeltaBuffer(max_age=0.5, max_characters=8)
    now, taken = 0.0, []

    for text, wait, takes in steps:
        now += wait
        buffer.add(text, now)
        if takes or buffer.due_in(now) == 0.0:
            taken.append(buffer.take())
    taken.append(buffer.take())

    assert "".join(taken) == "".join(text for text, _, _ in steps)
