"""Tokens, estimated. Only a model's own tokenizer could count them."""

import math

__all__ = ["MESSAGE_TOKENS", "estimate_tokens"]

MESSAGE_TOKENS = 4
"""What a message costs beside its text: its role and its ends."""

_BYTES_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """Return about how many tokens *text* has.

    Four bytes of UTF-8 count as one: close to what tokenizers of today make of
    prose, English (four letters a token) as well as Chinese (three bytes a
    letter), and low for code and numbers, so callers keep a reserve.
    """
    return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
