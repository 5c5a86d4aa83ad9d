"""What is left out on purpose, and why: said to whoever asks for it."""

from __future__ import annotations

_INTERCEPTION = (
    "there is no such setting on purpose: opening its clients' TLS makes a proxy the one place where every password "
    "and every key to imitate any site lie, and a site that must do so needs more than two nodes and one file; tunnels "
    "(CONNECT) pass unopened, and rules of `access` see their host and port"
)
_TRANSPARENT = (
    "there is no such setting on purpose: a proxy that clients do not know of cannot ask them to log in and takes "
    "addresses on trust; give clients the proxy's address, by hand, by policy or by a PAC file"
)

_LEFT_OUT: dict[tuple[str, ...], str] = {
    ("squid", "ssl_bump"): _INTERCEPTION,
    ("squid", "sslbump"): _INTERCEPTION,
    ("squid", "tls_interception"): _INTERCEPTION,
    ("squid", "tls_outgoing_options"): _INTERCEPTION,
    ("squid", "sslcrtd_program"): _INTERCEPTION,
    ("squid", "intercept"): _TRANSPARENT,
    ("squid", "transparent"): _TRANSPARENT,
    ("squid", "tproxy"): _TRANSPARENT,
}


def left_out(location: tuple[int | str, ...]) -> str:
    """Why there is no such setting; '' where that has no reason worth a word."""
    parts = tuple(part.lower().replace("-", "_") if isinstance(part, str) else "" for part in location)
    return _LEFT_OUT.get(parts[:2], "")
