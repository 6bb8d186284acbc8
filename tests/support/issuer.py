"""An OpenID Connect issuer of our own on loopback: it vouches for whom a test names."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "tieout", "the secret of the client"


@dataclass
class Issuer:
    """What it knows; a test changes `claims`, `header` or `key` to have it lie."""

    url: str = ""
    elsewhere: str = ""  # where it is asked for tokens and keys, when that is another address
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    other: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    keys: str | None = None  # the address of its keys, when a test has it name a strange one
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    signs_with: str = "key"
    named: str = ""  # another issuer than it is
    now: int = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)  # and paths, as they were asked

    def vouch(self, address: str, **claims: Any) -> str:
        """Somebody signs in where `address` sent them: where they go then."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        self.claims = {
            "iss": self.url, "aud": CLIENT, "sub": "s-1", "iat": self.now, "exp": self.now + 300,
            "nonce": asked["nonce"], "preferred_username": "max", "groups": ["looks"],
        } | claims  # fmt: skip
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The answer of the token endpoint."""
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        fits = (
            asked is not None
            and asked["code_challenge"] == challenge
            and asked["redirect_uri"] == form.get("redirect_uri")
            and form.get("client_id") == CLIENT
            and form.get("client_secret") == SECRET
        )
        if not fits:
            return 400, {"error": "invalid_grant"}
        key: Any = {"key": self.key, "other": self.other}.get(self.signs_with)
        if self.algorithm == "HS256":  # the public key taken for a shared secret
            key = OctKey.import_key(json.dumps(self.key.as_dict(private=False)))
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "none":
            parts = [json.dumps(p).encode() for p in (header, self.claims)]
            told = [base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts]
            return 200, {"id_token": ".".join([*told, ""]), "token_type": "Bearer"}
        made = jwt.encode(header, self.claims, key, algorithms=[self.algorithm])
        return 200, {"id_token": made, "access_token": "x", "token_type": "Bearer"}

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """What is answered to a path."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            other = self.elsewhere or self.url
            return 200, {
                "issuer": self.named or self.url,
                "jwks_uri": other + "/keys" if self.keys is None else self.keys,
                "authorization_endpoint": self.url + "/authorization",
                "token_endpoint": other + "/token",
            }
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/token":
            return self.token({k: v[0] for k, v in parse_qs(body.decode()).items()})
        return 404, {}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """It answers while the block runs."""
    issuer = Issuer()

    with _listening(issuer) as url:
        issuer.url = url
        yield issuer


@contextmanager
def also_at(issuer: Issuer) -> Iterator[str]:
    """It answers at another address too, as issuers of several hosts do, and names that one."""
    with _listening(issuer) as url:
        issuer.elsewhere = url
        try:
            yield url
        finally:
            issuer.elsewhere = ""


@contextmanager
def _listening(issuer: Issuer) -> Iterator[str]:
    class Answering(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            issuer.hosts.append(f"{self.headers['host']}{self.path}")
            status, told = issuer.answer(urlsplit(self.path).path, body)
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
