import math

import pytest

from pyodide_app.agentos.providers import (
    BuiltInSpec,
    OpenAiSpec,
    RecallSpec,
    parse_spec,
)
from pyodide_app.errors import AgentError

KEY = "sk-secret"
WHOLE = {"type": "openai", "baseUrl": "http://localhost/v1", "model": "m"}


def test_a_page_s_words_become_a_spec():
    spec = parse_spec(
        {
            **WHOLE,
            "apiKey": KEY,
            "temperature": 0.5,
            "inputPricePerMillion": 1,
            "outputPricePerMillion": 2,
            "contextTokens": 1000,
        }
    )

    assert spec == OpenAiSpec(
        base_url="http://localhost/v1",
        model="m",
        api_key=KEY,
        temperature=0.5,
        input_price_per_million=1.0,
        output_price_per_million=2.0,
        context_tokens=1000,
    )
    assert parse_spec({"type": "recall"}) == RecallSpec()
    assert parse_spec({"type": "built-in"}) == BuiltInSpec()


def test_a_key_is_in_no_repr():
    assert KEY not in repr(parse_spec({**WHOLE, "apiKey": KEY}))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"type": "other"},
        {"type": "openai"},
        {**WHOLE, "model": 7},
        {**WHOLE, "temperature": "hot"},
        {**WHOLE, "temperature": True},
        {**WHOLE, "inputPricePerMillion": -1},
        {**WHOLE, "outputPricePerMillion": math.nan},
        {**WHOLE, "apiKey": [KEY]},
    ],
)
def test_what_is_no_spec_is_refused_without_quoting_a_key(wrong):
    with pytest.raises(AgentError) as caught:
        parse_spec(wrong)

    assert KEY not in str(caught.value)
