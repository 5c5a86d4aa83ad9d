"""Who the clients are: logging in at the proxy."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from declaration.paths import PlainFile
from declaration.quantities import Duration
from declaration.types import PORT_IN_TEXT, Secret, Settings, is_host_name, matching, written

_URI = re.compile(rf"ldaps?://([A-Za-z0-9.-]+)(:{PORT_IN_TEXT})?")


def _uri(text: str) -> str:
    found = _URI.fullmatch(text)
    if found is None or not (is_host_name(found[1]) or re.fullmatch(r"[0-9.]{7,15}", found[1])):
        raise ValueError(text)
    return text


def _filter(text: str) -> str:
    if text.count("%s") != 1 or text.count("(") != text.count(")") or not text.startswith("("):
        raise ValueError(text)
    if not re.fullmatch(r"[A-Za-z0-9()&|!=*%,.:@_<>~ +-]{1,500}", text) or re.search(r"%(?!s)", text):
        raise ValueError(text)
    return text


LdapUri = Annotated[str, written("a directory's address, such as `ldaps://ldap.example.org`", _uri)]
Dn = Annotated[
    str,
    written(
        "a name in the directory such as `ou=people,dc=example,dc=org` (letters, digits, blanks and `.,=@_+-`)",
        matching(r"[A-Za-z]+=[\w .,=@+-]{0,500}"),
    ),
]
LdapFilter = Annotated[str, written("a filter of LDAP with one `%s` for the user's name, such as `(uid=%s)`", _filter)]
Realm = Annotated[
    str,
    written(
        "a text for the login window, such as `Proxy of Example` (letters, digits, blanks and `.,:()/_-`)",
        matching(r"[A-Za-z0-9]([A-Za-z0-9 .,:()/_-]{0,78}[A-Za-z0-9.)])?"),
    ),
]
Principal = Annotated[
    str,
    written(
        "the proxy's own principal, such as `HTTP/proxy.example.org@EXAMPLE.ORG`",
        matching(r"HTTP/[A-Za-z0-9.-]{1,200}(@[A-Za-z0-9.-]{1,200})?"),
    ),
]


class Basic(Settings):
    """Names and passwords in a file (`htpasswd`)."""

    password_file: Secret
    """The content of the file, `name:hash` in each line as `htpasswd` makes them, by the name of a secret. To log in,
    a name must be given as it stands there, in capital or small letters; rules under `access` make no difference."""


class Ldap(Settings):
    """Names and passwords in a directory."""

    uri: LdapUri
    """The directory's address; with `ldap://` alone, without `start_tls`, passwords cross the network in clear."""

    base: Dn
    """Where in the directory the users are."""

    filter: LdapFilter = "(uid=%s)"
    """How a user is found; `%s` is the name given at login."""

    start_tls: bool = False
    """Whether a connection to `ldap://` is encrypted before anything is sent."""

    bind_dn: Dn | None = None
    """Whom the proxy logs in as to search; without it nobody."""

    bind_password: Secret | None = None
    """Password for `bind_dn`, by the name of a secret."""


class Kerberos(Settings):
    """Tickets of Kerberos: nobody is asked for a password."""

    keytab: PlainFile
    """The keytab on each node, which Squid's user must be able to read. It is put there by other means."""

    principal: Principal | None = None
    """The proxy's principal in it; without it any that it holds."""


class Auth(Settings):
    """How clients log in: by `basic` or `ldap`, by `kerberos`, or by Kerberos and one of the others."""

    realm: Realm = "Squid proxy"
    """What the login window shows."""

    basic: Basic | None = None
    """By a file of names and passwords."""

    ldap: Ldap | None = None
    """By a directory."""

    kerberos: Kerberos | None = None
    """By Kerberos."""

    ttl: Duration = Duration("2h")
    """How long a password that was right is not asked for at the file or the directory again."""

    helpers: Annotated[int, Field(ge=1, le=500)] = 20
    """How many logins are checked at once, at most."""
