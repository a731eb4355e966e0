"""Whatever an encoding makes of a secret, it is found by value, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline import redaction
from trade_pipeline.errors import OrderRefused
from trade_pipeline.redaction import SHOWN, Redactor

SECRET = "s3cr/et+with=odd chars&ümlaut"


@pytest.mark.parametrize(
    "shown",
    [
        f"plain {SECRET}!",
        f"https://host/path?signature={quote(SECRET, safe='')}&x=1",
        "https://host/path?" + urlencode({"key": SECRET}),
        f"postgresql://user:{quote(SECRET)}@host/db",
        json.dumps({"secret": SECRET}),
        repr({"secret": SECRET}),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode(),
        "Basic " + base64.urlsafe_b64encode(f"u:{SECRET}:more".encode()).decode(),
    ],
)
def test_a_secret_is_found_in_every_form(shown: str) -> None:
    clean = Redactor([SECRET]).text(shown)
    assert SHOWN in clean
    for part in ("s3cr", "c3cr", "733363"):
        assert part not in clean


@given(st.text(min_size=12, max_size=40), st.binary(max_size=8), st.binary(max_size=8))
def test_base64_hides_no_secret_wherever_it_stands(secret: str, ahead: bytes, behind: bytes) -> None:
    inner = base64.b64encode(ahead + secret.encode() + behind).decode()
    assert Redactor([secret]).text(inner) != inner


def test_without_secrets_nothing_changes_and_short_ones_are_left_alone() -> None:
    assert Redactor().text("anything") == "anything"
    assert Redactor(["", "ab"]).text("abacus") == "abacus"


def test_values_within_parameters_are_cleaned_and_others_are_the_same_objects() -> None:
    redactor = Redactor(["hunter2hunter2"])
    clean: tuple[object, ...] = ({"a": 1, "b": ["x"]}, 3.5, None)
    assert redactor.value(clean) is clean
    assert redactor.value(({"a": "hunter2hunter2"}, ["hunter2hunter2"])) == ({"a": SHOWN}, [SHOWN])
    assert redactor.value(b"-hunter2hunter2-") == b"-" + b"*" * 14 + b"-"


def test_a_body_keeps_its_length() -> None:
    body = b'{"error": "hunter2hunter2"}'
    assert len(Redactor(["hunter2hunter2"]).same_length(body)) == len(body)


def test_the_redactor_shows_no_secret_of_its_own() -> None:
    assert "hunter2" not in repr(Redactor(["hunter2hunter2"]))


def test_our_errors_hold_no_secret_in_any_of_their_parts() -> None:
    before = redaction.current()
    redaction.use(Redactor(["hunter2hunter2"]))
    try:
        error = OrderRefused(
            "no hunter2hunter2", thing="hunter2hunter2", value="hunter2hunter2", repair="hunter2hunter2"
        )
    finally:
        redaction.use(before)
    assert "hunter2" not in str(error) + repr(error) + repr(vars(error))
