"""Who signs in to JD Edwards, and how that is said to AIS: in the body, or in headers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from tieout.project import JdeConnection


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in to JD Edwards: by user and password, or by a JSON Web Token alone."""

    username: str = ""
    password: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """Who that is, in a sentence."""
        return self.username or "the holder of the JSON Web Token"


def credentials_in(fields: Mapping[str, str]) -> Credentials:
    """Those among the fields of a secret, which may hold a certificate and more besides."""
    return Credentials(**{name: fields.get(name, "") for name in Credentials.__slots__})


def authorized(connection: JdeConnection, who: Credentials) -> dict[str, str]:
    """Who signs in, as headers, unless the body says it (jde-ais.md §2.1)."""
    if connection.sign_in == "password":
        return {}
    value = f"Bearer {who.jwt}"
    if connection.sign_in == "basic":
        pair = f"{who.username}:{who.password}".encode()
        value = "Basic " + base64.b64encode(pair).decode()
    return {
        "Authorization": value, "jde-AIS-Auth-Device": connection.device,
        "jde-AIS-Auth-Environment": connection.environment, "jde-AIS-Auth-Role": connection.role,
    }  # fmt: skip


def asking(connection: JdeConnection, who: Credentials) -> dict[str, str]:
    """The body of the same; clients that sign in by headers leave it empty."""
    if connection.sign_in != "password":
        return {}
    return {
        "username": who.username, "password": who.password,
        "environment": connection.environment, "role": connection.role,
        "deviceName": connection.device,
    }  # fmt: skip
