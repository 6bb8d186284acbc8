"""Sign in by another system that vouches for people: OpenID Connect, code flow with PKCE.

What is asked there is bound to the browser by a cookie that holds state, nonce and verifier; what
comes back is taken once. Nothing of it is believed before the signature, the issuer, the audience,
the time and the nonce of the identity token are checked.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2 import rfc7636  # type: ignore[import-untyped]  # no stubs
from authlib.oauth2.rfc6749 import parameters  # type: ignore[import-untyped]  # no stubs
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tieout.app import Instance
from tieout.core.policy import ROLES, hands
from tieout.doors import secret_name
from tieout.errors import Misconfigured, NotAllowed
from tieout.http import Http
from tieout.outgoing import Allowed
from tieout.project import SignIn
from tieout.redaction import hide
from tieout.store import audit, identities, people, sessions
from tieout.store.audit import Telling
from tieout.store.identities import Bound
from tieout.store.sessions import Begun
from tieout.verbs import acting
from tieout.verbs.signing_in import Place

WAY = "by "  # and the issuer: how a session began
RANDOM_BYTES = 32
REQUEST_SECONDS_MAX = 15.0
LEEWAY_SECONDS = 60  # clocks differ
# Signatures of public keys only: with a shared secret, or none, anybody could vouch.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
SCOPE = "openid profile"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser keeps while its person is elsewhere."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Came:
    """With what somebody comes back: what stands in the address, and where it is."""

    query: Mapping[str, str]
    address: str


def configured(instance: Instance) -> SignIn | None:
    """What vouches for people of this instance, if anything."""
    if instance.store.config() is None:
        return None
    found = instance.applied().sign_in
    return found if found.issuer else None


def begin(instance: Instance, back: str) -> tuple[str, Asked]:
    """The address to send somebody to, who then comes back to `back`; nothing is kept here."""
    issuer = _issuer(instance)
    asked = Asked(*(secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3)))
    address = parameters.prepare_grant_uri(
        issuer.address("authorization_endpoint"), issuer.told.client_id, "code", back, SCOPE,
        asked.state, nonce=asked.nonce, code_challenge_method="S256",
        code_challenge=rfc7636.create_s256_code_challenge(asked.verifier),
    )  # fmt: skip
    return str(address), asked


def finish(instance: Instance, asked: Asked | None, came: Came, place: Place) -> Begun:
    """Begin a session for who comes back; the trouble, and the trail, say why not."""
    try:
        return _finished(instance, asked, came, place)
    except (NotAllowed, Misconfigured) as trouble:
        detail = {"from": place.address, "why": trouble.what}
        with instance.store.begin() as connection:
            telling = Telling("", "sign-in refused", "elsewhere", detail)
            audit.append(connection, instance.clock.now(), telling)
        raise


def _finished(instance: Instance, asked: Asked | None, came: Came, place: Place) -> Begun:
    given = came.query.get("state", "")
    if asked is None or not hmac.compare_digest(given.encode(), asked.state.encode()):
        raise _refused("this browser did not ask for it, or too long ago")
    if "error" in came.query:
        raise _refused(f"it was refused there ({came.query['error'][:80]!r})")
    at = instance.clock.now()
    with instance.store.begin() as connection:
        if not identities.take(connection, sessions.hashed(asked.state), at):
            raise _refused("it came back twice")
    issuer = _issuer(instance)
    claims = _claims(issuer, asked, _token(issuer, asked, came))
    return _welcome(instance, issuer.told, claims, place)


@dataclass(frozen=True, slots=True)
class _Issuer:
    """The issuer, and what it says of itself: where it is asked for a token, and for its keys.

    Those may be other hosts than its own (Google's are); like every address that Tieout calls,
    each must be in `[outgoing] allow`.
    """

    instance: Instance
    told: SignIn
    found: Mapping[str, Any]

    def address(self, name: str) -> str:
        """An address that it names; it stays under the issuer's own scheme."""
        address = self.found.get(name)
        kind = urlsplit(self.told.issuer).scheme
        if not isinstance(address, str) or urlsplit(address).scheme != kind:
            raise _refused(f"its {name} is missing or of another kind")
        return address

    def call(self, name: str, **asked: Any) -> dict[str, Any]:
        """One call of such an address; Misconfigured when its host is not allowed."""
        url = urlsplit(self.address(name))
        what = f"the {name} of the sign-in elsewhere"
        with _opened(self.instance, self.told, f"{url.scheme}://{url.netloc}", what) as http:
            answer = http.send(path="", under=url.path or "/", query=url.query, **asked)
        if not answer.ok:
            raise _refused(f"it answered {answer.status}")
        return answer.json_object()


@contextmanager
def _opened(instance: Instance, told: SignIn, base: str, what: str) -> Iterator[Http]:
    """A connection to one host of the issuer's."""
    http = Http(
        base, system=what, clock=instance.clock,
        allowed=Allowed(instance.applied().outgoing.allow), timeout_seconds=REQUEST_SECONDS_MAX,
        ca_file=told.ca_file or None, allow_http=told.allow_http, tries=2,
    )  # fmt: skip
    try:
        yield http
    finally:
        http.close()


def _issuer(instance: Instance) -> _Issuer:
    """Ask the issuer what it says of itself."""
    told = configured(instance)
    if told is None:
        raise Misconfigured("Nothing vouches for people of this instance.")
    with _opened(instance, told, told.issuer, "the sign-in elsewhere") as http:
        answer = http.send("GET", "/.well-known/openid-configuration", repeatable=True)
        found = answer.json_object() if answer.ok else {}
    if found.get("issuer") != told.issuer:
        raise _refused(f"{told.issuer} does not say that it is this issuer")
    return _Issuer(instance, told, found)


def _token(issuer: _Issuer, asked: Asked, came: Came) -> str:
    told = issuer.told
    form = {
        "grant_type": "authorization_code", "code": came.query.get("code", ""),
        "redirect_uri": came.address, "client_id": told.client_id, "code_verifier": asked.verifier,
    }  # fmt: skip
    if told.secret:
        form |= issuer.instance.store.safe.opened(secret_name(told.secret))
    hide(form["code"], asked.verifier)
    answer = issuer.call(
        "token_endpoint", method="POST", repeatable=False, body=urlencode(form).encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    return str(answer.get("id_token", ""))


def _claims(issuer: _Issuer, asked: Asked, token: str) -> dict[str, Any]:
    told = issuer.told
    keys = issuer.call("jwks_uri", method="GET", repeatable=True)
    now = int(issuer.instance.clock.now().timestamp())
    registry = jwt.JWTClaimsRegistry(
        now, LEEWAY_SECONDS, iss={"essential": True, "value": told.issuer},
        aud={"essential": True, "value": told.client_id}, exp={"essential": True},
        iat={"essential": True}, sub={"essential": True},
        nonce={"essential": True, "value": asked.nonce},
    )  # fmt: skip
    try:
        known: Any = keys  # as they came
        read = jwt.decode(token, KeySet.import_key_set(known), ALGORITHMS)
        registry.validate(read.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _refused(f"its token does not hold ({type(error).__name__})") from error
    parties = read.claims["aud"]
    if isinstance(parties, list) and len(parties) > 1 and read.claims.get("azp") != told.client_id:
        raise _refused("its token was made for others")
    return dict(read.claims)


def _welcome(instance: Instance, told: SignIn, claims: Mapping[str, Any], place: Place) -> Begun:
    """Who it is here, with the roles that their groups give."""
    subject, at = str(claims["sub"]), instance.clock.now()
    groups = claims.get(told.groups_claim, [])
    groups = groups if isinstance(groups, list) else [groups]
    given = {role for group in groups for role in told.roles.get(str(group), ())}
    roles = [role for role in ROLES if role in given]
    by = told.issuer
    with instance.store.begin() as connection:
        known = identities.bound(connection, told.issuer, subject)
        if not roles:
            raise _refused("none of your groups has a role here")
        if known is None:
            name = str(claims.get(told.name_claim, "")).strip().lower()
            if not people.there_are_users(connection):
                raise _refused("this instance has no administrator yet")
            if any(user.name == name for user in people.users(connection)):
                raise _refused(
                    f"{name} is a user here already, whom nobody has bound to this sign-in"
                )
            people.add_user(connection, name, roles, by, at)
            known = Bound(name)
            identities.bind(connection, told.issuer, subject, known, by, at)
        elif list(people.named(connection, known.user).roles) != roles:
            people.set_roles(connection, known.user, roles, by, at)
        new = place.session(known.user, WAY + told.issuer, known.handed_by)
        return sessions.begin(connection, new, at)


def bind(instance: Instance, user: str, subject: str) -> None:
    """Say that a user is this subject of the issuer; by an administrator.

    Who says so could name a subject of their own: they count as having handed out what the user
    signs in with.
    """
    told = configured(instance)
    if told is None:
        raise Misconfigured("Nothing vouches for people of this instance: see [sign_in].")
    at = instance.clock.now()
    with instance.store.begin() as connection:
        by = people.who(connection, acting.held_token(instance), at)
        acting.allowed(by, "manage people")
        people.named(connection, user)
        handed_by = by.handed_by if by.name == user else hands(by)
        identities.bind(connection, told.issuer, subject, Bound(user, handed_by), by.name, at)


def keep_secret(instance: Instance, text: str) -> str:
    """Seal what this instance signs in with at the issuer; its name."""
    by = acting.require(instance, "set credentials")
    told = configured(instance)
    if told is None or not told.secret:
        raise Misconfigured("[sign_in] of the configuration names no secret.")
    if not text:
        raise Misconfigured("No secret was given.", untouched="Nothing was kept.")
    name = secret_name(told.secret)
    instance.store.safe.put(name, {"client_secret": text}, by.name)
    return name


def _refused(why: str) -> NotAllowed:
    return NotAllowed(
        f"The sign-in elsewhere did not hold: {why}.", untouched="Nobody was signed in.",
        do="Try again from the page of signing in.", who="an administrator of this instance",
    )  # fmt: skip
