"""What other systems say is kept in one line, bounded, and without passwords or tokens."""

from __future__ import annotations

import json

import pytest

from tieout.strict_json import EVIDENCE_CHARACTERS_MAX, excerpt, plain

SECRET = "044kbwMICIsL8P4jttMj/Vtp+nEhrSK17i7fa2q8V=MDE4MDExOTYxNzgz"
WITHIN = json.dumps({"username": "U", "password": 'hun"ter2\\' + SECRET, "token": SECRET})
SAYINGS = [
    f'{{"password":"{SECRET}","user":"TIEOUT"}}',
    json.dumps({"message": "bad request " + WITHIN}),
    json.dumps({"message": json.dumps({"inner": WITHIN})}),
    f"{{'token': '{SECRET}'}}",
    f"<token>{SECRET}</token>",
    f'<e1:password type="x" value="{SECRET}">{SECRET}</e1:password>',
    f'{{"token":{{"kind":{{"a":1}},"value":"{SECRET}"}}}}',
    f'{{"tokens":["{SECRET}"]}}',
    f"user=U&pwd={SECRET}",
    f'{{"username":"U","pass":"{SECRET}"}}',
    f'{{"jde-AIS-Auth":"{SECRET}"}}',
    f"headers {{jde-AIS-Auth={SECRET}}}",
    f"jde-AIS-Auth: {SECRET}",
    f'{{"private_key":"{SECRET}"}}',
    f"Authorization: Basic {SECRET}",
    f"Authorization=[AnaplanAuthToken {SECRET}]",
    f"Cookie: a=1; JSESSIONID={SECRET}; b={SECRET}",
    f"GET http://ais/jderest/v2/dataservice/next?token={SECRET}",
    f"the token {SECRET} has ended",
    f"nobody knows {SECRET}",
]


@pytest.mark.parametrize("saying", SAYINGS)
def test_a_password_or_token_in_what_a_peer_says_is_blotted_out(saying: str) -> None:
    """However it is wrapped, not a piece of it is left to be kept."""
    for kept in (plain(saying), excerpt(saying.encode())):
        pieces = {SECRET[at : at + 8] for at in range(len(SECRET) - 8)}
        assert not [p for p in pieces if p in kept], kept
        assert "…" in kept


@pytest.mark.parametrize(
    "saying",
    [
        "The token has expired.",
        "Authorization required",
        "wrong password for TIEOUT",
        "com.oracle.e1.rest.AuthenticationException: no such user",
        "bypass=on, compass: north",
        "task 8A81B09D4D3F4E5B8A81B09D4D3F4E5B8A81B09D4D3F4E5B is gone",
        "POST /jderest/v2/dataservice/table/F0911 answered 500",
    ],
)
def test_other_words_stay_as_they_are(saying: str) -> None:
    """What a person needs to know is not blotted out."""
    assert plain(saying) == saying


def test_what_a_peer_says_becomes_one_line_of_bounded_length() -> None:
    """Lines that look like a log's, control characters and megabytes do not get through."""
    assert plain("failed\n2026-01-01 INFO all is well\x1b[2J\u202e") == (
        "failed 2026-01-01 INFO all is well [2J"
    )
    assert len(plain("x " * 3_000_000)) <= EVIDENCE_CHARACTERS_MAX
    assert len(excerpt(b"x " * 3_000_000)) <= EVIDENCE_CHARACTERS_MAX
