"""What an address is: how its host must be spelled, and to whom it leads besides other machines."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

HOST_CHARACTERS_MAX = 253  # RFC 1035
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what programs read as a part of an IPv4 address
# Where clouds answer their machines, besides the link-local addresses: AWS, Google, Alibaba,
# Azure and Oracle (their manuals of the instance metadata).
METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
LOOPBACK = "this machine itself"
# IPv6 addresses whose last 32 bits are an IPv4 address that is meant: mapped, compatible,
# translated (RFC 4291, 6052, 7915, 8215), and the interface of ISATAP (RFC 5214).
_LAST_BITS = tuple(
    map(
        ipaddress.IPv6Network,
        ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)
_NO_ONE_IN_PARTICULAR = ipaddress.ip_network("0.0.0.0/8")


def spelled_plainly(host: str) -> str:
    """Why a host is not spelled in the one way that all programs read alike; "" when it is.

    Names of letters, digits, hyphens and dots (other alphabets as xn--…), four decimal numbers,
    or an IPv6 address without a zone.
    """
    if ":" in host:
        return "" if _is_ip(host) and "%" not in host else "it is no IPv6 address without a zone"
    if not host.isascii():
        return "it holds other than ASCII characters; write such a name as xn--…"
    if len(host) > HOST_CHARACTERS_MAX:
        return f"it has more than {HOST_CHARACTERS_MAX} characters"
    labels = host.lower().split(".")
    if labels[-1] == "":
        return "it ends with a dot, or is empty"
    if not all(map(_LABEL.fullmatch, labels)):
        return "it holds characters or dots that no name of a machine has"
    if _NUMBER.fullmatch(labels[-1]) and not _is_ip(host):
        return "it is a number; write an address as four decimal numbers"
    return ""


def address_in(host: str) -> Ip | None:
    """The address that `host` is, or None for a name."""
    return ipaddress.ip_address(host.partition("%")[0]) if _is_ip(host) else None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_never_called(address: Ip) -> bool:
    """Whether no connection can have a reason to lead there, whatever is listed."""
    return any(one.is_multicast or _is_nobody(one) for one in _meant(address))


def special(address: Ip) -> str:
    """What an address is when only who lists it by itself can mean it; "" for all others."""
    for one in _meant(address):
        if one.is_loopback:
            return LOOPBACK
        if one.is_link_local or one in METADATA:
            return "an address where clouds hand out the credentials of their machines"
        if one.is_multicast or _is_nobody(one):
            return "an address of no machine"
        if one.is_reserved or getattr(one, "is_site_local", False):
            return "an address of a range that is not in use"
    return ""


def _is_nobody(address: Ip) -> bool:
    return address.is_unspecified or (address.version == 4 and address in _NO_ONE_IN_PARTICULAR)


def _meant(address: Ip) -> Iterator[Ip]:
    """The address, and the IPv4 addresses that it may lead to by way of a translator."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback or address.is_unspecified:
        yield address
        return
    last = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    inner = [last] if any(address in network for network in _LAST_BITS) else []
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        inner.append(last)
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    inner += address.teredo or ()
    yield from inner
    # The range ::/8, reserved as a whole, is where the embedded ones are.
    if not any(address in network for network in _LAST_BITS):
        yield address
