"""Logging in at the proxy in squid.conf: which programs check what clients send."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ldap:
    """How basic_ldap_auth(8) asks; ``password_file`` holds the password of ``bind_dn``."""

    uri: str
    base: str
    filter: str
    start_tls: bool
    bind_dn: str | None
    password_file: str | None


@dataclass(frozen=True)
class Auth:
    """``helpers`` is the directory of Squid's programs, ``ttl`` in seconds.

    ``users`` is the file of basic_ncsa_auth(8), ``keytab`` and ``principal`` are those of negotiate_kerberos_auth(8).
    """

    helpers: str
    count: int
    realm: str
    ttl: int
    users: str | None = None
    ldap: Ldap | None = None
    keytab: str | None = None
    principal: str | None = None


def lines(auth: Auth) -> list[str]:
    """Kerberos first: clients take the first way that they can."""
    basic = _basic(auth)
    children = f"children {auth.count} startup=1 idle=1"
    return [
        *(
            [
                f"auth_param negotiate program {words(_kerberos(auth, auth.keytab))}",
                f"auth_param negotiate {children}",
                "auth_param negotiate keep_alive on",
            ]
            if auth.keytab
            else []
        ),
        *(
            [
                f"auth_param basic program {words(basic)}",
                f"auth_param basic realm {auth.realm}",
                f"auth_param basic {children}",
                f"auth_param basic credentialsttl {auth.ttl} seconds",
                # Names in the file may have capitals, and Squid would ask it for them in small letters.
                *(["auth_param basic casesensitive on"] if auth.users else []),
            ]
            if basic
            else []
        ),
    ]


def words(program: list[str]) -> str:
    """A program and its arguments as Squid reads them: what is not plain in double quotes, with backslashes in it."""
    return " ".join(_word(each) for each in program)


def _word(text: str) -> str:
    if text and all(each.isalnum() or each in "/._=@:%,+-" for each in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _kerberos(auth: Auth, keytab: str) -> list[str]:
    return [f"{auth.helpers}/negotiate_kerberos_auth", "-k", keytab, "-s", auth.principal or "GSS_C_NO_NAME"]


def _basic(auth: Auth) -> list[str]:
    if auth.users:
        return [f"{auth.helpers}/basic_ncsa_auth", auth.users]
    if auth.ldap is None:
        return []
    ldap = auth.ldap
    return [
        f"{auth.helpers}/basic_ldap_auth",
        *(["-Z"] if ldap.start_tls else []),
        *("-H", ldap.uri, "-b", ldap.base, "-f", ldap.filter),
        *(["-D", ldap.bind_dn] if ldap.bind_dn else []),
        *(["-W", ldap.password_file] if ldap.password_file else []),
    ]
