"""Passwords and tokens stay out of configs, and so out of everything that is made from them.

What a config says is written into provenance, pages and logs. So a secret is not in it, but the
name of an environment variable, ``${NAME}``, whose value is put in where it is used and nowhere
else.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from mlip_core.utils.errors import UserError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WORD = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")
_SECRET_WORDS = {
    *("auth", "authorization", "bearer", "credential", "credentials", "passphrase", "passwd"),
    *("password", "pwd", "secret", "sig", "signature", "token"),
}
_SECRET_KEY = re.compile("(api|access|private|secret)[-_]?key", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s'\")>]+")
_USER = re.compile(r"(?<=://)[^/\s@]+@")


def refuse_secrets_in_url(url: str) -> None:
    """Refuse an address with a password or a token.

    Raises:
        ValueError: if there is one, with what to do.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError(
            "an address with a user or password would be written into results; put them into"
            " ~/.netrc (machine ... login ... password ...)"
        )
    for key, value in parse_qsl(parts.query):
        if _is_secret(key) and not _VARIABLE.fullmatch(value):
            raise ValueError(
                f"the value of {key!r} would be written into results; write {key}=${{NAME}}, the"
                " name of an environment variable that holds it"
            )


def refuse_secrets(values: Mapping[str, Any]) -> None:
    """Refuse a table in which a key that sounds like a secret has a text as its value.

    Raises:
        ValueError: if there is one, with what to do.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            refuse_secrets(value)
        elif _is_secret(key) and isinstance(value, str) and not _VARIABLE.fullmatch(value):
            raise ValueError(
                f"the value of {key!r} would be written into results; write ${{NAME}}, the name of"
                " an environment variable that holds it"
            )


def with_secrets(value: Any) -> Any:
    """A text, or all texts of a table, with the values of the variables that it names.

    Raises:
        UserError: if one is not set.
    """
    if isinstance(value, Mapping):
        return {key: with_secrets(one) for key, one in value.items()}
    return _VARIABLE.sub(_value, value) if isinstance(value, str) else value


def without_secrets(message: str, template: Any = None) -> str:
    """A message without the values that ``template`` was filled with.

    Users and queries of addresses are left out too: a server may have sent us on to one with a
    token.
    """
    for name in _variables(template):
        if secret := os.environ.get(name):
            for text in (secret, quote(secret), quote(secret, safe="")):
                message = message.replace(text, f"${{{name}}}")
    return _QUERY.sub(_hide, _USER.sub("", message))


def _hide(query: re.Match[str]) -> str:
    """``?...``, but for the names of variables that stand there instead of values."""
    names = _VARIABLE.findall(query[0])
    return f"?...{', '.join(f'${{{name}}}' for name in names)}"


def _is_secret(key: str) -> bool:
    words = {word.lower() for word in _WORD.findall(key)}
    return bool(words & _SECRET_WORDS) or bool(_SECRET_KEY.search(key))


def _value(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if value is None:
        raise UserError(f"${{{match[1]}}}: there is no such environment variable; export it")
    return value


def _variables(template: Any) -> Iterator[str]:
    if isinstance(template, Mapping):
        for value in template.values():
            yield from _variables(value)
    elif isinstance(template, str):
        yield from _VARIABLE.findall(template)
