"""How the script of `speedtest1` becomes tests; nothing is fetched for it."""

from tests.benchmarks.speedtest1 import split_script

SCRIPT = """PRAGMA threads=0;
-- begin test 100 INSERTs into a table
CREATE TABLE z1(a INTEGER, b INTEGER, c TEXT);
INSERT INTO z1 VALUES(5, 10, 'ten');
-- begin test 110 three more tables
CREATE TABLE z2(a INTEGER, b INTEGER, c TEXT);
CREATE TABLE t3(a INTEGER, b INTEGER, c TEXT);
CREATE TABLE t4(a INTEGER, b INTEGER, c TEXT);
"""


def test_each_of_its_tests_is_one_script():
    first, second = split_script(SCRIPT)

    assert (first.number, first.title) == (100, "INSERTs into a table")
    assert first.as_data()["script"].count("INSERT") == 1
    assert second.number == 110


def test_the_tables_are_compared_after_the_last_one():
    first, last = split_script(SCRIPT)

    assert first.checks == ()
    assert [tuple(row) for row in last.expected] == [
        (1, 5, 2),
        (0, 0, 0),
        (0, 0, 0),
        (0, 0, 0),
    ]
