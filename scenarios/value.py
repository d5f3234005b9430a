"""Check the small values of a scenario file: names, addresses, URLs, baselines."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from topologies.service import Conduct

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})+\Z")
_IDENTIFIER = re.compile(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?\Z")
_SCENARIO = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*\Z")
#: What stands before the @ of a SIP address, and what a registrar's configuration can quote.
_USER = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_PASSWORD = re.compile(r"[A-Za-z0-9._~+!*()=:,;/?&-]{1,64}")
#: What a target can answer when nobody interferes, as a file writes it.
BASELINES = (
    *("answers", "dead-name", "refused", "reset", "silent"),
    *("expired", "self-signed", "wrong-name", "no-answer", "hangs-up", "one-way"),
    *("lossy", "congested", "stalls", "truncates", "delisted", "filtered", "bogus-name"),
    "portal",
    *("status: N", "redirect: HOST"),
)
_BASELINE = re.compile(rf"{'|'.join(BASELINES[:-2])}|status: [2-5][0-9][0-9]|redirect: [a-z0-9.-]+")


def wrong(expected: str, hint: str = "") -> PydanticCustomError:
    """Make the error that pydantic carries to the loader."""
    return PydanticCustomError("wrong", "{expected}", {"expected": expected, "hint": hint})


def _domain(value: str) -> str:
    if not _DOMAIN.match(value):
        meant = value.lower().rstrip(".")
        hint = repr(meant) if _DOMAIN.match(meant) else ""
        raise wrong("a domain name in lower case, as in www.example.net", hint)
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise wrong("an IPv4 or IPv6 address") from None


def _public(value: str) -> str:
    """Refuse what tools take for a bogon: private, reserved, multicast and documentation nets."""
    address = ipaddress.ip_address(_address(value))
    if not address.is_global or address.is_multicast or address.is_reserved:
        raise wrong("an address that looks public (tools distrust bogons and documentation nets)")
    return str(address)


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return _domain(value)


def _payload(value: str) -> str:
    try:
        size = len(bytes.fromhex(value))
    except ValueError:
        raise wrong("bytes in hex, such as '01 02 ff'") from None
    if not 0 < size <= 1200:
        raise wrong("1 to 1200 bytes in hex")
    return bytes.fromhex(value).hex()


def _message(value: str) -> str:
    if not 0 < len(value.encode()) <= 500:
        raise wrong("1 to 500 bytes of text")
    return value


def _listed(value: str) -> str:
    if not value.strip() or len(value) > 60 or set(value) & set("'$\\\n&"):
        raise wrong("a word or phrase of at most 60 letters, without quotes, $, & and backslashes")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise wrong(f"a URL ({error})") from None
    if parts.scheme not in ("http", "https"):
        bare = re.match(r"[a-z0-9.-]+(/|\Z)", value)
        raise wrong("a URL that begins with http:// or https://", f"'http://{value}'" * bool(bare))
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        raise wrong("a URL on the usual port (80 for http, 443 for https)")
    try:
        _host(parts.hostname or "")
    except PydanticCustomError:
        raise wrong("a URL whose host is a domain name or an address") from None
    return value


def _identifier(value: str) -> str:
    if not _IDENTIFIER.match(value):
        meant = re.sub(r"[^a-z0-9.]+", "-", value.lower()).strip("-.")
        raise wrong("a name of small letters, digits, dots and hyphens", repr(meant) * bool(meant))
    return value


def _scenario(value: str) -> str:
    if not _SCENARIO.match(value):
        raise wrong("a name like group/name, of small letters, digits and hyphens")
    return value


def _word(value: Any) -> Any:
    """Take `{status: 403}` for `"status: 403"`: without quotes, that is how YAML reads it."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        if isinstance(inner, int | str) and not isinstance(inner, bool):
            value = f"{key}: {inner}"
    if not isinstance(value, str) or not _BASELINE.fullmatch(value):
        raise wrong(f"a baseline: {', '.join(BASELINES[:-1])} or {BASELINES[-1]}")
    return value


def _callees(value: Any) -> Any:
    """Take a list of names for callees that simply answer."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, "answers")
    return value


def _called(value: dict[str, Conduct]) -> dict[str, Conduct]:
    """Expect names that a SIP address can hold and a log be called by, of users who are called."""
    for name, conduct in value.items():
        if not _USER.fullmatch(name):
            raise wrong(f"names of letters, digits and . _ + -, not {name!r:.40}")
        if conduct == "calls-back":
            raise wrong(f"another conduct of {name}: only `numbers` call back")
    return value


def _users(value: dict[str, str]) -> dict[str, str]:
    """Expect names and passwords that servers' configurations can hold."""
    for user, password in value.items():
        if not _USER.fullmatch(user):
            raise wrong(f"users named with letters, digits and . _ + -, not {user!r:.40}")
        if not _PASSWORD.fullmatch(password):
            expected = "passwords of letters, digits and ._~+!*()=:,;/?&-"
            raise wrong(f"{expected}, not {password!r:.40} as {user} has")
    return value


def _numbers(value: dict[str, Conduct]) -> dict[str, Conduct]:
    """Expect telephone numbers as E.164 writes them."""
    for number in value:
        if not re.fullmatch(r"\+[1-9][0-9]{2,14}", number):
            raise wrong(f"numbers with + and the country's code, not {number!r:.40}")
    return value


def _baseline(value: Any) -> Any:
    by_place = isinstance(value, dict) and not {"status", "redirect"} & value.keys()
    return value if by_place else {"else": value}


def _one_or_many(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        return value
    if isinstance(value, str):
        return [value]
    raise wrong("a name or a list of names")


def _period(value: Any) -> Any:
    """Take a bare year, which YAML reads as a number, for the text it is meant to be."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_TEXT = {"type": "string"}
_CALLEES_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": _TEXT},
        {"type": "object", "additionalProperties": {"enum": [*get_args(Conduct)]}},
    ]
}
_WORD_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": f"^({_BASELINE.pattern})$"},
        {"type": "object", "properties": {"status": {"type": "integer"}}, "required": ["status"]},
        {"type": "object", "properties": {"redirect": _TEXT}, "required": ["redirect"]},
    ]
}
Domain = Annotated[str, AfterValidator(_domain)]
Address = Annotated[str, AfterValidator(_public)]
#: What a forged answer may hold: any address, for forged ones often are bogons.
AnyAddress = Annotated[str, AfterValidator(_address)]
HostName = Annotated[str, AfterValidator(_host)]
WebUrl = Annotated[str, AfterValidator(_url)]
#: What is typed into a chat, and a word that a chat client looks for in it.
Message = Annotated[str, AfterValidator(_message)]
Word = Annotated[str, AfterValidator(_listed)]
#: What one datagram holds.
Payload = Annotated[str, AfterValidator(_payload)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Period = Annotated[
    str,
    BeforeValidator(_period),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "integer"}]}),
]
ScenarioName = Annotated[str, AfterValidator(_scenario)]
Users = Annotated[dict[str, str], Field(min_length=1), AfterValidator(_users)]
Callees = Annotated[
    dict[str, Conduct],
    AfterValidator(_called),
    BeforeValidator(_callees),
    WithJsonSchema(_CALLEES_SCHEMA),
]
Numbers = Annotated[
    dict[str, Conduct],
    AfterValidator(_numbers),
    BeforeValidator(_callees),
    WithJsonSchema(_CALLEES_SCHEMA),
]
#: Who is called where a file does not say.
ECHO: dict[str, Conduct] = {"echo": "answers"}
Baseline = Annotated[
    dict[str, Annotated[str, BeforeValidator(_word)]],
    BeforeValidator(_baseline),
    WithJsonSchema(
        {
            "anyOf": [
                *_WORD_SCHEMA["anyOf"],
                {"type": "object", "additionalProperties": _WORD_SCHEMA},
            ]
        }
    ),
]
OneOrMany = Annotated[
    list[str],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}),
]
