"""Encrypting, decrypting, locking."""

from typing import cast

from pyodide_app.browser.arguments import Arguments, InvalidArgumentsError
from pyodide_app.browser.call import Call
from pyodide_app.storage.encryption import CIPHERS, Cipher, EncryptionKey

__all__ = [
    "change_passphrase",
    "cipher_in",
    "decrypt",
    "encrypt",
    "key_in",
    "lock",
    "passphrase_in",
]


def passphrase_in(given: Arguments, field: str = "passphrase") -> str | None:
    """Return a passphrase, or None if it is not given."""
    passphrase = given.text_or_none(field)
    if passphrase == "":
        raise InvalidArgumentsError(field=field, expected="a text that is not empty")
    return passphrase


def cipher_in(given: Arguments) -> Cipher | None:
    """Return a cipher, or None if it is not given."""
    cipher = given.choice("cipher", (*CIPHERS, ""), "") or None
    return cast("Cipher | None", cipher)


def key_in(given: Arguments) -> EncryptionKey | None:
    """Return the key that a call names, or None."""
    return EncryptionKey.of(passphrase_in(given), cipher_in(given))


def _needed(given: Arguments, field: str) -> str:
    passphrase = passphrase_in(given, field)
    if passphrase is None:
        raise InvalidArgumentsError(field=field, expected="a text")
    return passphrase


async def encrypt(call: Call) -> object:
    passphrase = _needed(call.arguments, "passphrase")
    cipher = cipher_in(call.arguments) or "chacha20"
    await call.handle.adapter.encrypt(passphrase, cipher=cipher)
    return None


async def change_passphrase(call: Call) -> object:
    current = _needed(call.arguments, "current")
    new = _needed(call.arguments, "new")
    await call.handle.adapter.change_passphrase(current, new)
    return None


async def decrypt(call: Call) -> object:
    await call.handle.adapter.decrypt(_needed(call.arguments, "passphrase"))
    return None


async def lock(call: Call) -> object:
    await call.host.databases.lock(call.handle)
    return None
