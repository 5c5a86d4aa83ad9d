"""The hosts that the image knows by name, with their addresses on both networks.

A hardware address names the network in its fifth byte and the host in its sixth, which is also the last byte
of the IP address: 02:00:00:00:01:0b is 192.0.2.11, 02:00:00:00:02:0b is 172.16.77.11.
"""

from dataclasses import dataclass

GATEWAY = "192.0.2.1"


@dataclass(frozen=True)
class Identity:
    """A host's name and its number, from which all its addresses follow."""

    name: str
    number: int

    @property
    def public(self) -> str:
        """Address on the public network, eth0."""
        return f"192.0.2.{self.number}"

    @property
    def replication(self) -> str:
        """Address on the replication network, eth1."""
        return f"172.16.77.{self.number}"

    @property
    def public_mac(self) -> str:
        """Hardware address of eth0."""
        return f"02:00:00:00:01:{self.number:02x}"

    @property
    def replication_mac(self) -> str:
        """Hardware address of eth1."""
        return f"02:00:00:00:02:{self.number:02x}"

    @property
    def hosts_file(self) -> str:
        """/etc/hosts as Debian's installer writes it for a host with a fixed address."""
        return f"127.0.0.1\tlocalhost\n{self.public}\t{self.name}\n\n::1\tlocalhost ip6-localhost ip6-loopback\n"

    @property
    def networks(self) -> dict[str, str]:
        """Files of /etc/systemd/network by name; each matches on a hardware address of this host."""
        return {
            f"{self.name}-public.network": _network(self.public_mac, self.public, f"Gateway={GATEWAY}\n"),
            f"{self.name}-replication.network": _network(self.replication_mac, self.replication, ""),
        }


def _network(mac: str, address: str, gateway: str) -> str:
    return (
        f"[Match]\nMACAddress={mac}\n\n"
        f"[Network]\nAddress={address}/24\n{gateway}LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )


NODES = (Identity("qsp-a", 11), Identity("qsp-b", 12))
