"""A passphrase for a database file. Pure.

The ciphers are those of SQLite3 Multiple Ciphers: every page is encrypted and
authenticated on its own, so a page of the file never holds plain text, wherever
it is stored. The key is derived from the passphrase and a salt in the file's first
16 bytes; nothing else of either is kept.

Source: https://utelle.github.io/SQLite3MultipleCiphers/docs/ciphers/cipher_overview/
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlencode

__all__ = ["CIPHERS", "Cipher", "EncryptionKey", "is_plain", "looks_encrypted"]

Cipher = Literal["chacha20", "sqlcipher"]
"""``chacha20``: ChaCha20-Poly1305. ``sqlcipher``: the format of SQLCipher 4, which
its apps and the mobile plugins read."""

CIPHERS: Final[tuple[Cipher, ...]] = get_args(Cipher)

_PLAIN: Final = b"SQLite format 3\0"
_SAMPLE: Final = 512
_VARIETY: Final = 180
"""Different values in 512 random bytes: 221 on average, and hardly ever fewer."""

_SETTINGS: Final[Mapping[Cipher, Mapping[str, str | int]]] = {
    "chacha20": {"cipher": "chacha20"},
    "sqlcipher": {"cipher": "sqlcipher", "legacy": 4},
}


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """What opens an encrypted file.

    Args:
        passphrase: Any text that is not empty. Texts that look the same, but are
            composed of other characters, are the same.
        cipher: None finds out which one a file has; a new one gets ``chacha20``.
    """

    passphrase: str = field(repr=False)
    cipher: Cipher | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.passphrase, str):
            msg = f"a passphrase is str, not {type(self.passphrase).__name__}"
            raise TypeError(msg)
        if not self.passphrase:
            msg = "a passphrase must not be empty"
            raise ValueError(msg)
        if self.cipher not in (None, *CIPHERS):
            msg = f"cipher is one of {', '.join(CIPHERS)}, not {self.cipher!r}"
            raise ValueError(msg)
        composed = unicodedata.normalize("NFC", self.passphrase)
        object.__setattr__(self, "passphrase", composed)

    @classmethod
    def of(
        cls, passphrase: str | None, cipher: Cipher | None = None
    ) -> "EncryptionKey | None":
        """Return the key for a passphrase, or None for none."""
        return None if passphrase is None else cls(passphrase, cipher)

    def with_cipher(self, cipher: Cipher) -> "EncryptionKey":
        """Return the same passphrase for that cipher."""
        return EncryptionKey(self.passphrase, cipher)

    @property
    def choices(self) -> tuple["EncryptionKey", ...]:
        """What to try on a file, in order."""
        if self.cipher is not None:
            return (self,)
        return tuple(map(self.with_cipher, CIPHERS))

    @property
    def pragmas(self) -> Mapping[str, str | int]:
        """By name, in order; to be set on a connection before anything else."""
        cipher = self.cipher or "chacha20"
        return {**_SETTINGS[cipher], "hexkey": self.passphrase.encode().hex()}

    def uri(self, path: str) -> str:
        """Return the URI by which SQLite opens, or makes, *path* with this key."""
        return f"{Path(path).absolute().as_uri()}?{urlencode(self.pragmas)}"


def is_plain(head: bytes) -> bool:
    """Return whether a file that begins with *head* is a plain SQLite file."""
    return head.startswith(_PLAIN)


def looks_encrypted(head: bytes, size: int) -> bool:
    """Return whether a file can be an encrypted database; a passphrase tells.

    Args:
        head: The first 512 bytes. What is not encrypted mostly has fewer values.
        size: Of the file, in bytes: a whole number of pages.
    """
    return (
        not is_plain(head)
        and len(head) >= _SAMPLE
        and size % _SAMPLE == 0
        and len(set(head[:_SAMPLE])) >= _VARIETY
    )
