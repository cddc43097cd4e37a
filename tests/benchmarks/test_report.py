"""What the tables of the benchmark say."""

import json

from tests.benchmarks.render import as_json, as_markdown, as_text
from tests.benchmarks.report import HEADERS, compared, flatness, missed, own
from tests.benchmarks.results import Key, Results


def results_of(numbers):
    results = Results()
    for key, runs in numbers.items():
        for number in runs:
            results.add(key, number)
    return results


def update(side, promise, size=100):
    return Key("update", side, promise, size)


def test_a_line_has_the_median_the_spread_and_both_classes():
    results = results_of(
        {
            update("ours", "commit"): [1.0, 9.0, 2.0],
            update("original", "stored"): [900.0, 700.0, 800.0],
        }
    )

    (line,) = compared(results, "original", [100])

    assert line == (
        "one-row update, durable",
        "100",
        "2 ms (1 … 9)",
        "commit",
        "800 ms (700 … 900)",
        "stored",
        "400",
        "at least 300 x: met",
    )


def test_a_missed_target_is_named():
    results = results_of(
        {update("ours", "commit"): [4.0], update("original", "stored"): [800.0]}
    )

    lines = list(compared(results, "original", [100]))

    assert missed(lines) == ["one-row update, durable"]


def test_a_target_is_for_its_own_size_only():
    results = results_of(
        {update("ours", "commit", 10): [4.0], update("original", "stored", 10): [8.0]}
    )

    assert missed(list(compared(results, "original", [10]))) == []


def test_nothing_is_claimed_without_the_other_side():
    results = results_of(
        {update("ours", "commit"): [1.0], Key("select", "ours", "read"): [1.0]}
    )

    lines = list(compared(results, "original", [100]))

    assert [line[4:7] for line in lines] == [("-", "", "")] * 2
    assert not any(line[-1].endswith("met") for line in lines)


def test_the_cost_of_the_largest_is_held_against_the_smallest():
    flat = {update("ours", "commit", 10): [1.0], update("ours", "commit", 500): [1.2]}
    steep = {**flat, update("ours", "commit", 500): [1.3]}

    assert missed(list(flatness(results_of(flat), [10, 100, 500]))) == []
    assert len(missed(list(flatness(results_of(steep), [10, 100, 500])))) == 1
    assert list(flatness(results_of(flat), [10])) == []


def test_own_numbers_have_no_other_side():
    results = results_of({Key("append an event", "ours", "commit"): [1.5]})

    assert list(own(results)) == [
        ("append an event to a conversation", "", "1.5 ms (1.5 … 1.5)", "commit")
    ]


def test_columns_are_aligned():
    text = as_text(("what", "n"), [("a", "1"), ("longer", "22")])

    assert text.splitlines() == [
        "what    n",
        "------  --",
        "a       1",
        "longer  22",
    ]


def test_markdown_has_a_rule_below_the_headers():
    assert as_markdown(("a", "b"), [("1", "2")]).splitlines()[1] == "| --- | --- |"


def test_json_has_the_number_of_every_run():
    results = results_of({update("ours", "commit"): [1.0, 2.0]})

    written = json.loads(as_json(results, {"chromium": "1"}))

    assert written["chromium"] == "1"
    assert written["results"][0]["runs"] == [1.0, 2.0]
    assert len(HEADERS) == len(next(compared(results, "original", [100])))
