"""What the tables of the benchmark say."""

import json
from xml.etree import ElementTree

from tests.benchmarks.against_original import ORIGINAL_HEADERS, against_original
from tests.benchmarks.cells import missed
from tests.benchmarks.goals import GOAL_HEADERS, goals
from tests.benchmarks.own_table import own
from tests.benchmarks.page import performance_page, with_start
from tests.benchmarks.peers import PEERS
from tests.benchmarks.plot import plot
from tests.benchmarks.render import as_json, as_markdown, as_text
from tests.benchmarks.results import PROMISES, Key, Results
from tests.benchmarks.sections import sections
from tests.benchmarks.side_tables import by_side
from tests.benchmarks.standings import best

ABOUT = {
    "chromium": "1",
    "machine": "m",
    "load": 1,
    "date": "2026-01-01",
    "runs": 7,
    "start runs": 7,
}


def results_of(numbers):
    results = Results()
    for key, runs in numbers.items():
        for number in runs:
            results.add(key, number)
    return results


def update(side, promise, size=100):
    return Key("update", side, promise, size)


def commits(side, promise):
    return Key("test 1", side, promise)


def test_a_line_has_the_median_the_spread_and_both_classes():
    results = results_of(
        {
            update("ours", "commit"): [1.0, 9.0, 2.0],
            update("original", "stored"): [900.0, 700.0, 800.0],
        }
    )

    (line,) = against_original(results, "original", [100])

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
    assert len(line) == len(ORIGINAL_HEADERS)


def test_a_missed_target_is_named():
    results = results_of(
        {update("ours", "commit"): [4.0], update("original", "stored"): [800.0]}
    )

    lines = list(against_original(results, "original", [100]))

    assert missed(lines) == ["one-row update, durable"]


def test_a_target_is_for_its_own_size_only():
    results = results_of(
        {update("ours", "commit", 10): [4.0], update("original", "stored", 10): [8.0]}
    )

    assert missed(list(against_original(results, "original", [10]))) == []


def test_nothing_is_claimed_without_the_other_side():
    results = results_of(
        {update("ours", "commit"): [1.0], Key("select", "ours", "read"): [1.0]}
    )

    lines = list(against_original(results, "original", [100]))

    assert [line[4:7] for line in lines] == [("-", "", "")] * 2
    assert not any(line[-1].endswith("met") for line in lines)


def test_the_best_peer_is_durable_and_on_the_storage_asked_for():
    results = results_of(
        {
            commits("ours", "commit"): [5.0],
            commits("sql.js", "lost"): [1.0],
            commits("pglite-relaxed", "batched"): [1.0],
            commits("native", "commit"): [1.0],
            commits("wa-wal", "commit"): [7.0],
            commits("wa-mirror", "commit"): [20.0, 30.0, 40.0],
            commits("wa-idb", "accepted"): [50.0],
        }
    )

    assert best(results, "test 1").name == "wa-wal"
    assert best(results, "test 1", storage="IndexedDB").name == "wa-mirror"
    assert best(results, "test 2") is None


def test_each_goal_is_held_against_the_best_of_its_kind():
    results = results_of(
        {
            commits("ours", "commit"): [10.0],
            commits("wa-wal", "commit"): [7.0],
            commits("wa-mirror", "commit"): [30.0],
        }
    )

    on_indexeddb, on_opfs = goals(results, [])

    assert on_indexeddb[2:] == (
        "wa-mirror (commit): 30.0 ms (30.0 … 30.0)",
        "3.00",
        "at least 2 x: met",
    )
    assert on_opfs[2:] == (
        "wa-wal (commit): 7 ms (7 … 7)",
        "0.70",
        "at least 1 x: MISSED",
    )
    assert len(on_opfs) == len(GOAL_HEADERS)


def test_the_cost_of_the_largest_is_held_against_a_small_one():
    flat = {update("ours", "commit", 10): [1.0], update("ours", "commit", 500): [1.2]}
    steep = {**flat, update("ours", "commit", 500): [1.3]}

    assert missed(list(goals(results_of(flat), [1, 10, 100, 500]))) == []
    assert len(missed(list(goals(results_of(steep), [1, 10, 100, 500])))) == 1
    assert list(goals(results_of(flat), [10])) == []


def test_opening_is_held_against_megabytes_per_second():
    opened = {Key("warm open", "ours", "read", 100): [400.0]}
    size = {Key("database size", "ours", "read", 100): [100_000_000]}

    (line,) = goals(results_of({**opened, **size}), [100])

    assert line[2] == "250 MB/s"
    assert line[-1] == "at least 200 MB/s: met"


def test_both_modes_of_a_side_have_a_line():
    results = results_of(
        {commits("ours", "commit"): [1.0], commits("ours", "strict"): [2.0]}
    )

    assert [line[2] for line in by_side(results)] == ["commit", "strict"]


def test_own_numbers_have_no_other_side():
    results = results_of({Key("append an event", "ours", "commit"): [1.5]})

    assert list(own(results)) == [
        ("append an event to a conversation", "", "1.5 ms (1.5 … 1.5)", "commit")
    ]


def test_every_promise_of_a_peer_is_explained():
    promises = {mode.promise for peer in PEERS.values() for mode in peer.modes}

    assert promises <= set(PROMISES)


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


def test_a_line_has_as_many_cells_as_its_table_has_headers():
    results = results_of(
        {
            commits("ours", "commit"): [1.0],
            Key("sum of 16", "ours", "commit"): [1.0],
            Key("trip: insert 1 KB", "ours", "commit"): [1.0],
            update("ours", "commit"): [1.0],
        }
    )

    found = list(sections(results, ["original", "wa-wal"], [100]))

    assert "The 12 round trips" in [section.title for section in found]
    for section in found:
        for line in section.lines:
            assert len(line) == len(section.headers), section.title


def test_the_plot_has_a_bar_for_each_side_and_the_shortest_first():
    results = results_of(
        {
            commits("ours", "commit"): [10.0],
            commits("wa-wal", "commit"): [100.0],
            commits("wa-mirror", "commit"): [1_000.0],
        }
    )

    root = ElementTree.fromstring(plot(results))  # noqa: S314  # it is ours

    bars = [e for e in root.iter() if e.get("height") == "13"]
    widths = [float(bar.get("width")) for bar in bars]
    assert [bar.get("class") for bar in bars] == ["ours", "OPFS", "IndexedDB"]
    assert widths[2] - widths[1] == widths[1] - widths[0] > 0


def test_only_the_start_of_a_page_can_be_measured_again():
    results = results_of({commits("ours", "commit"): [1.0]})
    page = performance_page(results, ABOUT, ["wa-wal"], [100])
    start = {
        Key("first query", "ours", "read"): [1.0],
        Key("first query", "plain", "read"): [10.0],
    }

    once = with_start(page, results_of(start), ABOUT)
    twice = with_start(once, results_of(start), ABOUT)

    assert once.count("start of Python to first query") == 1
    assert twice == once
    assert "The 16 tests, by side" in once
