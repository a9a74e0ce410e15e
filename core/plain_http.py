"""A warning where a key would travel unencrypted."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

_warned_hosts: set[str] = set()


def warn_of_plain_http(url: str) -> None:
    """Warn, once for each host, of requests to other machines over plain HTTP."""
    if not url.startswith("http://"):
        return
    host = urlsplit(url).hostname or ""
    if host in _warned_hosts or _is_loopback(host):
        return
    _warned_hosts.add(host)
    warnings.warn(
        f"requests to http://{host} are not encrypted: anyone on the way can read the key and the "
        "messages. Use https://",
        UserWarning,
        stacklevel=_outside(),
    )


def _outside() -> int:
    """How many frames up the first one is that is not ours, for ``warnings.warn``."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("costspan."):
        frame, level = frame.f_back, level + 1
    return level


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress

    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
