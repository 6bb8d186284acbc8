"""Messages leave to allowed addresses alone, where they were when they were checked."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from receivers import MailServer, Service, called

from tieout import messengers
from tieout.clock import SystemClock
from tieout.errors import Misconfigured, Trouble, Unavailable
from tieout.messengers import KINDS, Door
from tieout.outgoing import Allowed
from tieout.sim.authority import Authority, make_authority, server_context

NAME = "receiver.example.test"  # which no name server knows
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
MB = 2**20
ADDRESSES = {
    "mailtos": "mailtos://user:pass@mail.example.com", "workflows": "workflows://h.example.com/a/b",
    "mailto": "mailto://user:pass@mail.example.com",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "discord": "discord://4174216298/JHMHI8qBe7bk2", "gchat": "gchat://workspace/key/token",
    "tgram": "tgram://123456789:abcdefg_hijklmnop/12315544",
    "wxteams": "wxteams://" + "a" * 80, "mmosts": "mmosts://chat.example.com/" + "a" * 26,
    "rockets": "rockets://user:pass@chat.example.com/#general",
    "zulip": "zulip://bot@acme/" + "a" * 32, "ntfys": "ntfys://ntfy.example.com/topic",
    "pover": f"pover://{'u' * 30}@{'t' * 30}",
    "pagerduty": f"pagerduty://{'i' * 32}@{'a' * 20}/source/component",
}  # fmt: skip
FROM_TO = "from=t@example.com&to=b@example.com"
ASKS_FOR_LESS = "redirect=yes&verify=no"


@pytest.fixture(scope="module")
def ours() -> Authority:
    return make_authority()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as things:
        yield things


class Names:
    """A name server that says another address each time it is asked."""

    def __init__(self, *addresses: str) -> None:
        self.left, self.asked = list(addresses), 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return [self.left.pop(0) if len(self.left) > 1 else self.left[0]]


def door(tmp_path: Path, ours: Authority, names: Names, *origins: str) -> Door:
    """Everything that is called is allowed, both addresses of the name too."""
    (tmp_path / "ca.pem").write_text(ours.pem)
    allow = [origin.replace(NAME, host) for origin in origins for host in (NAME, FIRST, SECOND)]
    return Door(Allowed(allow, names), SystemClock(), True, str(tmp_path / "ca.pem"))


def test_a_name_that_changes_its_address_is_called_at_the_one_that_was_checked(
    tmp_path: Path, ours: Authority, opened: ExitStack
) -> None:
    context = server_context(ours.server(NAME), tmp_path)
    first = Service(context)
    second = Service(context, SECOND, first.server_port)
    for service in (first, second):
        opened.callback(service.close)
    names = Names(FIRST, SECOND)
    place = f"{NAME}:{first.server_port}"
    address = f"workflows://{place}/workflow/signature/"
    with called() as heard:
        messengers.send(address, "title", "words", door(tmp_path, ours, names, f"https://{place}"))
    assert (len(first.got), len(second.got), names.asked) == (1, 0, 1)
    assert {where for event, where in heard if event == "socket.connect"} == {
        (FIRST, first.server_port)
    }
    assert {where for event, where in heard if event == "socket.getaddrinfo"} <= {FIRST}


@pytest.mark.parametrize("mode", ["insecure", "starttls"])
def test_a_mail_server_whose_name_changes_is_called_at_the_address_that_was_checked(
    tmp_path: Path, ours: Authority, opened: ExitStack, mode: str
) -> None:
    context = server_context(ours.server(NAME), tmp_path) if mode == "starttls" else None
    first = MailServer(context)
    second = MailServer(context, SECOND, first.port)
    for server in (first, second):
        opened.callback(server.close)
    names, place = Names(FIRST, SECOND), f"{NAME}:{first.port}"
    scheme = "http" if mode == "insecure" else "https"
    address = f"mailto://{place}?{FROM_TO}&mode={mode}"
    with called() as heard:
        allowed = door(tmp_path, ours, names, f"{scheme}://{place}")
        messengers.send(address, "title", "words", allowed)
    assert (len(first.got), second.knocks, names.asked) == (1, 0, 1)
    assert {where for event, where in heard if event == "socket.connect"} == {(FIRST, first.port)}


def test_a_mail_server_with_a_certificate_that_is_not_trusted_gets_no_password(
    tmp_path: Path, ours: Authority, opened: ExitStack
) -> None:
    server = MailServer(server_context(make_authority("Others").server(NAME), tmp_path))
    opened.callback(server.close)
    place = f"{NAME}:{server.port}"
    allowed = door(tmp_path, ours, Names(FIRST), f"https://{place}")
    with pytest.raises(Unavailable, match="did not take the notice") as told:
        messengers.send(f"mailtos://u:K7@{place}?mode=starttls&verify=no", "t", "w", allowed)
    assert server.got == []
    assert "K7" not in told.value.sentence()


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_address_leads_past_the_list_of_allowed_ones(kind: str) -> None:
    closed = Door(Allowed([]), SystemClock(), allow_http=True)
    refused = pytest.raises(Misconfigured, match="not in the list of allowed")
    with called() as heard, refused as told:
        messengers.send(ADDRESSES[kind], "title", "words", closed)
    assert heard == []
    assert "aaaaa" not in told.value.sentence()


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_cannot_ask_for_redirects_or_unchecked_certificates(kind: str) -> None:
    receiver = messengers.receiver_of(f"{ADDRESSES[kind]}?{ASKS_FOR_LESS}")
    assert receiver is not None
    assert (receiver.redirects, receiver.verify_certificate) == (False, True)


def test_an_address_that_lets_something_be_fetched_is_refused() -> None:
    closed = Door(Allowed([]), SystemClock())
    for address in (
        "workflows://h.example.com/a/b?template=http://169.254.169.254/latest/meta-data/",
        "workflows://h.example.com/a/b?template=/etc/passwd",
        "mailtos://u:p@mail.example.com?wkd=yes",
    ):
        with called() as heard, pytest.raises(Misconfigured, match="asks for something"):
            messengers.send(address, "title", "words", closed)
        assert heard == []


def test_a_proxy_that_the_environment_names_and_a_redirect_are_not_followed(
    tmp_path: Path, ours: Authority, opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = server_context(ours.server(NAME), tmp_path)
    other = Service(context)
    leads = Service(context, status=307, location=f"https://{NAME}:{other.server_port}/x")
    for service in (other, leads):
        opened.callback(service.close)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{FIRST}:{other.server_port}")
    places = [f"https://{NAME}:{one.server_port}" for one in (other, leads)]
    allowed = door(tmp_path, ours, Names(FIRST), *places)
    address = f"workflows://{NAME}:{leads.server_port}/w/s/?redirect=yes"
    with pytest.raises(Misconfigured, match="answered 307"):
        messengers.send(address, "title", "words", allowed)
    assert (len(leads.got), other.got) == (1, [])


def test_a_receiver_that_answers_with_a_bomb_ends_in_a_sentence(
    tmp_path: Path, ours: Authority, opened: ExitStack
) -> None:
    bomb = gzip.compress(bytes(32 * MB))
    context = server_context(ours.server(NAME), tmp_path)
    service = Service(context, body=bomb, content_encoding="gzip")
    opened.callback(service.close)
    place = f"{NAME}:{service.server_port}"
    allowed = door(tmp_path, ours, Names(FIRST), f"https://{place}")
    with pytest.raises(Trouble, match=r"too much to read|grows more than"):
        messengers.send(f"workflows://{place}/w/s/", "title", "words", allowed)


def test_a_mail_server_that_talks_without_end_is_not_listened_to(
    tmp_path: Path, ours: Authority, opened: ExitStack
) -> None:
    server = MailServer(talks=b"220-and another thing\r\n" * 1000)
    opened.callback(server.close)
    place = f"{NAME}:{server.port}"
    allowed = door(tmp_path, ours, Names(FIRST), f"http://{place}")
    with pytest.raises(Unavailable, match="says more than a mail server has to say"):
        messengers.send(
            f"mailto://{place}?from=t@example.com&to=b@example.com", "title", "words", allowed
        )
