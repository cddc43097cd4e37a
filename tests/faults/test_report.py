"""What docs/reliability.md says of the rows that tests record."""

from tests.faults.report import reliability_page
from tests.reliability import SIMULATED, Row, read_rows, write_rows

KILLED = Row(
    "browser killed",
    engine="Chromium 1",
    mode="commit",
    faults=1200,
    survived=1199,
    acknowledged=9000,
    lost=2,
    note="3 checkpoints",
    command="python3 build.py test a",
)
PEER = Row("browser killed", peer="original", faults=10, survived=4, command="b")
SIMULATION = Row("all at once", engine=SIMULATED, faults=50, survived=50)


def test_rows_survive_the_file(tmp_path):
    write_rows(tmp_path / "rows.jsonl", [KILLED])
    write_rows(tmp_path / "rows.jsonl", [PEER])

    assert read_rows(tmp_path / "rows.jsonl") == [KILLED, PEER]


def test_the_page_has_a_line_and_a_command_for_each_row():
    page = reliability_page([PEER, KILLED])

    line = "browser killed | ours | Chromium 1 | commit | 1,200 | 1,199 | 9,000 | 2 |"
    assert f"| 1 | {line}" in page
    assert "| 2 | browser killed | original |" in page
    assert "```sh\npython3 build.py test a  # 1\nb  # 2\n```" in page


def test_the_sum_is_of_ours_alone():
    page = reliability_page([PEER, KILLED, SIMULATION])

    assert "1,200 faults tried in browsers, 1,199 survived" in page
    assert "50 histories simulated, 50 survived" in page
    assert "9,000 writes acknowledged before them, 2 were lost" in page
