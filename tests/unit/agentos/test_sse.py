import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyodide_app.agentos.providers import sse
from pyodide_app.agentos.providers.sse import ServerEvent, SseParser
from pyodide_app.errors import ProviderResponseError

STREAMS = st.lists(
    st.one_of(
        st.sampled_from(
            ["data: a", "data:", "data", ": comment", "event: error", "id: 7", ""]
        ),
        st.text(max_size=12).map(lambda text: f"data: {text}"),
        st.text(max_size=12),
    ),
    max_size=20,
)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def parse(pieces):
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.close()


def cut(body, cuts):
    ends = sorted({cut % (len(body) + 1) for cut in cuts})
    return [body[a:b] for a, b in zip([0, *ends], [*ends, len(body)], strict=True)]


@given(STREAMS, st.lists(LINE_ENDS, min_size=20, max_size=20), st.lists(st.integers(0)))
def test_any_cutting_gives_the_same_events(lines, ends, cuts):
    text = "".join(line + end for line, end in zip(lines, ends, strict=False))
    body = text.encode("utf-8", "surrogatepass")

    assert parse(cut(body, cuts)) == parse([body])


@given(STREAMS)
def test_every_line_end_means_the_same(lines):
    lines = [line.replace("\r", "").replace("\n", "") for line in lines]
    bodies = ["".join(line + end for line in lines) for end in ("\n", "\r\n", "\r")]

    first, *others = [parse([body.encode("utf-8", "replace")]) for body in bodies]

    assert others == [first, first]


def test_lines_of_data_are_joined_and_one_space_is_dropped():
    assert parse([b"data: a\ndata:  b\ndata\n\n"]) == [ServerEvent("a\n b\n")]


def test_comments_and_unknown_fields_say_nothing():
    assert parse([b": hello\nretry: 5\nid: 1\n\ndata: x\n\n"]) == [ServerEvent("x")]


def test_an_event_without_data_is_none_and_does_not_leak_its_type():
    assert parse([b"event: error\n\ndata: x\n\n"]) == [ServerEvent("x")]


def test_a_byte_order_mark_is_dropped_at_the_start_only():
    mark = "\ufeff"
    body = f"{mark}data: {mark}x\n\n".encode()

    assert parse([body[:1], body[1:2], body[2:]]) == [ServerEvent(f"{mark}x")]


def test_what_stands_before_the_end_without_a_line_end_is_given_as_cut():
    assert parse([b"data: a\n\ndata: [DONE]"]) == [
        ServerEvent("a"),
        ServerEvent("[DONE]", is_cut=True),
    ]


def test_bytes_that_are_no_text_do_not_stop_the_stream():
    (event,) = parse([b"data: \xff\xfe ok\n\n"])

    assert event.data.endswith(" ok")


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(sse, "LINE_LIMIT", 100)

    with pytest.raises(ProviderResponseError, match="100 characters"):
        parse([b"0123456789"] * 20)
