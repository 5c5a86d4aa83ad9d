"""What the Squid of a host makes of format codes."""

from __future__ import annotations

from collections.abc import Iterable

from declaration.logformat import CODES
from tests.support.things import Site

_PARSE = r"""
while read -r code; do
    printf 'logformat tried %%%s\n' "$code" >/root/tried.conf
    squid -k parse -f /root/tried.conf >/dev/null 2>&1 || echo "$code"
done <<'END'
CODES
END
rm /root/tried.conf
"""
# A Squid of its own, which writes a record of one request.
_RECORD = r"""
rm -f /var/log/squid/codes.log
cat >/root/codes.conf <<'END'
http_port 127.0.0.1:3400
visible_hostname codes
pid_filename /run/codes.pid
shutdown_lifetime 1 second
logformat codes FORMAT
access_log stdio:/var/log/squid/codes.log logformat=codes
cache_log /var/log/squid/codes-cache.log
http_access allow all
END
systemd-run --quiet --collect --unit=codes squid --foreground -n codes -f /root/codes.conf
bash -c '
for _ in $(seq 100); do exec 3<>/dev/tcp/127.0.0.1/3400 && break; sleep 0.1; done 2>/dev/null
printf "GET http://127.0.0.1:9999/ HTTP/1.1\r\nHost: 127.0.0.1:9999\r\nConnection: close\r\n\r\n" >&3
cat <&3 >/dev/null'
for _ in $(seq 100); do [ ! -s /var/log/squid/codes.log ] || break; sleep 0.1; done
cat /var/log/squid/codes.log
systemctl stop codes; rm -f /root/codes.conf /var/log/squid/codes*.log
"""


def refused(hosts: Site, node: str, codes: Iterable[str]) -> list[str]:
    """Those of the codes that Squid does not take, on its own word."""
    return hosts.sh(node, _PARSE.replace("CODES", "\n".join(codes))).split()


def cut_short(hosts: Site, node: str) -> list[str]:
    """Codes that Squid takes for a shorter one and plain text behind it, which no parsing tells: a record shows it."""
    tried = {code: rests for code in sorted(CODES) if (rests := _rests(code))}
    record = hosts.sh(node, _RECORD.replace("FORMAT", "|".join(f"%{code}" for code in tried))).strip()
    values = record.split("|")
    assert len(values) == len(tried), record
    return [code for (code, rests), value in zip(tried.items(), values, strict=True) if value.endswith(rests)]


def _rests(code: str) -> tuple[str, ...]:
    """What of a code would be plain text behind another code that it begins with."""
    plain = code.removeprefix("http::")
    others = {each.removeprefix("http::") for each in CODES} - {plain}
    return tuple(sorted(plain.removeprefix(other) for other in others if plain.startswith(other)))
