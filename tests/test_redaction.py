"""A known secret is struck out however it is written, and nothing else is."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ha_rag.redaction import LEAST_PREFIX, Redactor

KEY = 'sk-Proj_8.T/x+q~"k&9Zz=='
STRIKE = Redactor([KEY, "hunter2"]).redacted


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04X}" for character in text)


def base64_of(text: str, encode: Callable[[bytes], bytes] = base64.b64encode, before: str = "", after: str = "") -> str:
    return encode(f"{before}{text}{after}".encode()).decode()


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in upper case": str.upper,
    "in lower case": str.lower,
    "with cases swapped": str.swapcase,
    "percent-encoded": lambda key: quote(key, safe=""),
    "percent-encoded in lower case": lambda key: quote(key, safe="").lower(),
    "percent-encoded, each character": percent,
    "percent-encoded twice": lambda key: quote(quote(key, safe=""), safe=""),
    "percent-encoded three times": lambda key: quote(quote(percent(key), safe=""), safe=""),
    "as a form": quote_plus,
    "as JSON": lambda key: json.dumps(key)[1:-1],
    "as JSON with slashes escaped": lambda key: json.dumps(key)[1:-1].replace("/", r"\/"),
    "as JSON, each character": escaped,
    "as JSON in JSON": lambda key: json.dumps(json.dumps(key)),
    "as JSON, percent-encoded": lambda key: quote(json.dumps(key)),
    "as Python writes bytes": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "as HTML": lambda key: key.replace("&", "&amp;").replace('"', "&quot;"),
    "as HTML, each character": lambda key: "".join(f"&#{ord(character)};" for character in key),
    "as HTML without semicolons": lambda key: "".join(f"&#{ord(character)}" for character in key),
    "in octal": lambda key: "".join(f"\\{byte:03o}" for byte in key.encode()),
    "with colours of a terminal between": "\x1b[31m".join,
    "in hexadecimal": lambda key: key.encode().hex(),
    "in base64": base64_of,
    "in base64 for URLs": lambda key: base64_of(key, base64.urlsafe_b64encode),
    "in base64 without padding": lambda key: base64_of(key).rstrip("="),
    "in base64 with line breaks": lambda key: base64.encodebytes(b"user:" * 20 + key.encode()).decode(),
    "in base64, percent-encoded": lambda key: quote(base64_of(key), safe=""),
    "in base64, one byte further": lambda key: base64_of(key, before="u"),
    "in base64 behind a name": lambda key: base64_of(key, before="user:"),
    "in base64 before more": lambda key: base64_of(key, before="me:", after=":and more"),
    "in base64 of lower case": lambda key: base64_of(key.lower()),
    "in lower-case base64": lambda key: base64_of(key).lower(),
    "over two lines": lambda key: f"{key[:9]}\n{key[9:]}",
    "with invisible characters": "\u200b".join,
}

WITH_MORE = {"in base64 with line breaks", "in base64 behind a name", "in base64 before more"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", [KEY, "hunter2"])
def test_a_secret_is_struck_out_in_every_encoding(way, key):
    written = WAYS[way](key)

    struck = STRIKE(f"it said <{written}>, sadly")

    assert struck.startswith("it said <")
    assert struck.endswith(">, sadly")
    assert "***" in struck
    if way not in WITH_MORE:
        assert not re.search("[A-Za-z0-9]{4}", struck[len("it said <") : -len(">, sadly")])


@pytest.mark.parametrize("way", [way for way in WAYS if "breaks" not in way])
@pytest.mark.parametrize("kept", range(LEAST_PREFIX, len(KEY)))
def test_so_is_every_prefix_of_eight_or_more_characters(way, kept):
    assert "***" in STRIKE(f"wrong key {WAYS[way](KEY[:kept])}... given")


def test_what_is_struck_out_is_the_secret_and_not_the_text_around_it():
    assert STRIKE(f"the key {KEY} is wrong") == "the key *** is wrong"
    assert STRIKE(f"{KEY}{KEY} and %73{KEY[1:]}") == "*** and ***"
    assert STRIKE(f"the key {KEY[:12]}****: wrong") == "the key *******: wrong"
    assert STRIKE(base64_of("hunter2", before="me:")) == "bWU6***=="


@pytest.mark.parametrize("text", ["", "sk-Proj", "hunter", "a %41 \\u0041 &amp; b", "Grüße \u202e\ud800", "x" * 500])
def test_other_text_is_left_alone(text):
    assert STRIKE(text) == text


def test_without_secrets_and_with_ones_too_short_to_be_any_nothing_is_struck_out():
    assert Redactor().redacted(KEY) == KEY
    assert Redactor(["", "x", "abc"]).redacted("x abc") == "x abc"


@pytest.mark.parametrize("written", ["GEHEIMNISÄÖ", "geheimnisäö", quote("GeheimnisÄÖ"), quote("geheimnisäö").lower()])
def test_letters_beyond_ascii_are_found_too(written):
    assert Redactor(["GeheimnisÄÖ"]).redacted(f"({written})") == "(***)"


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=80),
    st.sampled_from(["as it is", "percent-encoded", "as JSON", "as JSON, each character", "in base64"]),
    st.integers(0, 2),
    st.text(max_size=30),
    st.text(max_size=30),
)  # fmt: skip
def test_any_secret_anywhere_in_any_text_is_gone(secret, way, cut, before, after):
    written = WAYS[way](secret)

    struck = Redactor([secret]).redacted(f"{before} {written} {after}")

    assert written not in struck
    assert "***" in struck
    if cut and len(secret) > LEAST_PREFIX + cut:
        assert "***" in Redactor([secret]).redacted(f"{before} {WAYS[way](secret[:-cut])} {after}")


@given(st.text(st.characters(), max_size=60), st.lists(st.text(st.characters(), max_size=20), max_size=3))
@example("\ud800%ff%c3&#55296;&nosuch;\\ud800", ["\ud800%ff%c3"])
def test_whatever_the_text_and_the_secrets_text_results_that_holds_no_secret(text, secrets):
    struck = Redactor(secrets).redacted(text)

    assert not any(secret in struck for secret in secrets if len(secret) >= 4 and "*" not in secret)


@dataclass(frozen=True)
class Told:
    name: str
    state: str
    voters: tuple[str, ...] = ()
    more: object = None


@pytest.mark.parametrize("way", WAYS)
def test_each_text_in_a_value_is_struck_out_and_words_of_our_own_stay(way: str) -> None:
    redactor = Redactor([KEY, "open"])
    written = WAYS[way](KEY)
    told = Told(written, "open", (written,), {"state": "open", "reason": written, "list": [Told(written, "open"), 7]})
    shown = redactor.redacted_in(told)
    assert written not in repr(shown)
    assert (shown.state, shown.more["state"], shown.more["list"][1]) == ("open", "open", 7)
    assert redactor.redacted_in(Told("a", "open", ("b",))) == Told("a", "open", ("b",))
