from datetime import UTC, datetime

import pytest

from pyodide_app.agentos.providers.openai_errors import (
    error_from_response,
    message_in,
    retry_after,
)
from pyodide_app.errors import (
    ProviderAuthError,
    ProviderRateLimitError,
    ProviderResponseError,
)

KEY = "sk-secret"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def error(status, body=b"", headers=None):
    return error_from_response(
        status, body, headers or {}, host="h:1", model="m", key=KEY, now=NOW
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "no", "type": "x"}}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"message": "no"}', "no"),
        (b'{"detail": [{"msg": "no"}]}', "no"),
        (b'[{"error": {"message": "no"}}]', "no"),
        (b"plain words", "plain words"),
        (b"<html>gateway</html>", ""),
        (b"", ""),
        (b'{"error": {"code": 7}}', ""),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_the_message_is_found_in_every_form(body, message):
    assert message_in(body) == message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-3", None),
        ("\u0667", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_and_never_quoted(status):
    found = error(status, f"Incorrect API key provided: {KEY}".encode())

    assert isinstance(found, ProviderAuthError)
    assert not found.retryable
    assert "check it in the provider's settings" in str(found)
    assert KEY not in str(found)


def test_a_rate_limit_says_when_to_come_back():
    found = error(429, b"Slow down.", {"retry-after": "7"})

    assert isinstance(found, ProviderRateLimitError)
    assert found.retryable
    assert found.retry_after_s == 7
    assert "try again in 7 seconds" in str(found)


def test_a_model_that_is_not_there_is_told_from_a_wrong_address():
    absent = error(404, b'{"error": {"message": "model \\"m\\" not found"}}')
    astray = error(404, b"Not Found")

    assert "name of the model (m)" in str(absent)
    assert "ends in /v1" in str(astray)
    assert not absent.retryable


@pytest.mark.parametrize(
    ("status", "retryable", "words"),
    [
        (500, True, "try again later"),
        (503, True, "try again later"),
        (400, False, "refused the request (HTTP 400)"),
        (301, False, "has moved"),
        (None, False, "gave up the answer"),
    ],
)
def test_other_statuses_are_errors_of_the_response(status, retryable, words):
    found = error(status, b"why")

    assert isinstance(found, ProviderResponseError)
    assert found.retryable is retryable
    assert words in str(found)
    assert found.status == status


def test_a_long_message_is_quoted_in_part():
    assert len(str(error(500, b"x" * 10_000))) < 500
