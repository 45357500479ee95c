"""Where this site may send anything: nowhere inside the network that it stands in, unless a person allowed it."""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from distillery_site.common.errors import BadInput, Transient


def check_outbound(url: str, allow: Collection[str] = ()) -> str:
    """The address itself when it may be called.

    https to public addresses; plain http to this machine's loopback only; hosts in `allow` as they are. Raises BadInput,
    or Transient when the name can't be resolved now.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        raise BadInput(f"{url!r} is not an http or https address.")
    if parts.username or parts.password:
        raise BadInput(f"The address of {host} must not carry a user name or password.")
    if host in allow:
        return url
    addresses = _resolve(host)
    if all(address.is_loopback for address in addresses):
        return url
    if parts.scheme != "https":
        raise BadInput(f"{host} must be called by https.")
    if inside := [str(address) for address in addresses if not address.is_global]:
        raise BadInput(f"{host} is inside a private network ({inside[0]}); name it in OUTBOUND_ALLOW if it is meant.")
    return url


def stays_here(url: str) -> bool:
    """Whether this address is this machine's own loopback, so that nothing sent there leaves."""
    host = urlsplit(url).hostname
    try:
        return host is not None and all(address.is_loopback for address in _resolve(host))
    except Transient:
        return False


def _resolve(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Transient(f"The address of {host} can't be found; is there a network?") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    mapped = (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None for address in addresses)
    return [inner or address for inner, address in zip(mapped, addresses, strict=True)]
