"""Ways to write an address that must not be called, so that a list of allowed hosts misses it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

FORBIDDEN_4 = (
    "127.0.0.1", "127.8.9.1", "169.254.169.254", "169.254.170.2", "0.0.0.0", "100.100.100.200",
    "168.63.129.16", "192.0.0.192",
)  # fmt: skip
FORBIDDEN_6 = (
    "::1", "::", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "fd00:ec2::254", "ff02::1",
    "fd20:ce::254", "100::1",
)  # fmt: skip
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "db.localhost": ["127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "169-254-169-254.dns.example": ["169.254.169.254"],
    "127.0.0.1.dns.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "zoned.example": ["fe80::1%2"],
    "six.example": ["fd00:ec2::254"],
    "nobody.example": ["0.0.0.0"],
    "many.example": ["93.184.216.34", "127.0.0.1"],
    "many-more.example": ["2606:2800:21f::1", "::1"],
    "translated.example": ["64:ff9b::a9fe:a9fe"],
    "text.example": ["127.0.0.1\n93.184.216.34"],
    "xn--lcalhost-54a.example": ["127.0.0.1"],
    "group.example": ["224.0.0.1"],
    "all.example": ["255.255.255.255"],
}  # what the test's name server says
FULL_WIDTH = str.maketrans("0123456789abcdefx.", "０１２３４５６７８９ａｂｃｄｅｆｘ．")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
DOTS = ("。", "．", "｡", "․", "‧", "%2e", "%252e")


def of_ipv4(address: str) -> Iterator[str]:
    """Hosts that some program reads as this IPv4 address."""
    number, parts = int(IPv4Address(address)), [int(part) for part in address.split(".")]
    a, b, c, d = parts
    yield address
    yield from (str(number), hex(number), f"0X{number:X}", f"0{number:o}", f"000{number:o}")
    yield ".".join(f"0{part:o}" for part in parts)
    yield ".".join(f"{part:04o}" for part in parts)
    yield ".".join(map(hex, parts))
    yield ".".join(f"{part:03d}" for part in parts)
    yield f"0x{a:x}.{b}.0{c:o}.{d}"
    yield from (f"{a}.{b}.{c * 256 + d}", f"{a}.{number & 0xFFFFFF}", f"{a:#x}.{number & 0xFFFFFF}")
    yield from (f"{address}.", f"{address}..", f" {address}", f"{address} ", f"{address}\t")
    yield from (f"{address}\n", f"{address}\0", f"{address}%00.example.com", f"{address}\\")
    yield from (address.translate(table) for table in (FULL_WIDTH, ARABIC, CIRCLED))
    yield from (address.replace(".", dot) for dot in DOTS)
    yield "".join(f"%{ord(character):02x}" for character in address)
    yield from map(of_ipv6, _embedding(number))
    yield f"[::ffff:{address}]"
    yield f"[0:0:0:0:0:ffff:{address}]"
    yield f"[::ffff:{address}%251]"
    yield f"[::{address}]"
    yield f"ais.example.com@{address}"
    yield f"ais.example.com:9300@{address}"
    yield f"@{address}"
    yield f"{address}#@ais.example.com"
    yield f"{address}?@ais.example.com"
    yield f"{address}\\@ais.example.com"


def _embedding(number: int) -> Iterator[int]:
    """IPv6 addresses that lead to an IPv4 address where a translator stands."""
    yield 0xFFFF << 32 | number  # mapped
    yield 0xFFFF << 48 | number  # translated
    yield 0x64_FF9B << 96 | number
    yield 0x64_FF9B_0001 << 80 | number
    yield 0x2002 << 112 | number << 80  # 6to4
    yield 0x2001_0000 << 96 | 0x5DB8_D822 << 64 | number ^ 0xFFFF_FFFF  # Teredo
    yield 0x2001_0DB8 << 96 | 0x5EFE << 32 | number  # ISATAP


def of_ipv6(address: str | int) -> str:
    """An IPv6 address as a host."""
    return f"[{IPv6Address(address)}]"


def spellings() -> list[str]:
    """All of them as hosts of a URL, each once."""
    hosts = [host for address in FORBIDDEN_4 for host in of_ipv4(address)]
    for address in FORBIDDEN_6:
        six = IPv6Address(address)
        hosts += [of_ipv6(address), f"[{six.exploded}]", f"[{six.exploded.upper()}]"]
        hosts += [f"[{six}%25eth0]", f"[{six}%1]", f"[{six}].", str(six)]
    for name in NAMES:
        hosts += [name, name.upper(), f"{name}.", name.replace(".", "。")]
    return list(dict.fromkeys(hosts))
