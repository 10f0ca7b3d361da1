"""Names of hosts in HTTP headers: which machine a Host header names, and which site a page belongs to.

A page of another site can make a browser send requests to servers on its own machine or network. Such a request names
the foreign site, either in its Host (DNS rebinding) or in its Origin and Sec-Fetch-Site (cross-site request forgery).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


def named_host(hosts: Sequence[str]) -> str | None:
    """The name or address in the only one of the Host headers `hosts`, without port and brackets; else None."""
    parts = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return None if parts is None else parts["v6"] or parts["name"]


def is_address(name: str) -> bool:
    """Whether `name` is an IP address: no site can have it as its name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether `name` is a loopback address or "localhost"."""
    if name.lower().rstrip(".") == "localhost":
        return True
    if not is_address(name):
        return False
    address = ipaddress.ip_address(name)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_same_site(host: str, origins: Sequence[str], fetch_sites: Sequence[str]) -> bool:
    """Whether no header says that a page of another site sent the request.

    `host`: the Host header. `origins`, `fetch_sites`: the values of all Origin and Sec-Fetch-Site headers, which only
    browsers send.
    """
    own = (f"http://{host.lower()}", f"https://{host.lower()}")
    return all(site in ("none", "same-origin") for site in fetch_sites) and all(
        origin.lower() in own for origin in origins
    )
