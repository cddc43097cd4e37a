import uuid

from hypothesis import given
from hypothesis import strategies as st

from pyodide_app import ids


def test_ids_are_version_7_and_carry_their_time():
    before = ids.now_ms()

    id = ids.new_id()

    assert uuid.UUID(id).version == 7
    assert uuid.UUID(id).variant == uuid.RFC_4122
    assert before <= ids.id_time_ms(id) <= ids.now_ms()


def test_ids_of_one_process_grow(monkeypatch):
    """Also within one millisecond, and when the clock steps back."""
    now = ids.now_ms() + 10_000
    made = []
    for offset in (0, 0, 0, -5000, -1, 0, 1):
        monkeypatch.setattr(ids, "now_ms", lambda offset=offset: now + offset)
        made += [ids.new_id() for _ in range(500)]

    assert made == sorted(set(made))


@given(st.integers(0, 2**48 - 1), st.lists(st.text(st.characters())))
def test_a_derived_id_is_always_the_same(time_ms, parts):
    id = ids.derived_id(time_ms, *parts)

    assert id == ids.derived_id(time_ms, *parts)
    assert uuid.UUID(id).version == 7
    assert ids.id_time_ms(id) == time_ms
    assert id != ids.derived_id(time_ms, *parts, "")


def test_where_a_part_ends_matters():
    assert ids.derived_id(1, "ab", "c") != ids.derived_id(1, "a", "bc")


def test_a_time_outside_the_format_is_clamped():
    assert ids.id_time_ms(ids.derived_id(-5)) == 0
    assert ids.id_time_ms(ids.derived_id(2**60)) == 2**48 - 1


def test_other_ids_have_no_time():
    for id in ("", "conv-1", str(uuid.uuid4()), "../x"):
        assert ids.id_time_ms(id) is None
