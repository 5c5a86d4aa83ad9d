"""Wrong declarations: each refused, at the setting that is wrong, with a sentence that helps."""

import pytest

from declaration.errors import DeclarationError
from declaration.load import read
from tests.unit.declaration.conftest import changed, put, refused, told

NODE_B = {"name": "b", "address": "192.0.2.12", "replication_address": "172.16.77.12"}
REASON = "test site, split brain is accepted"

# what is set, to what, what the sentence says; of the site of phase 3, one setting at a time
SETTINGS = [
    ("engine", "heartbeat", "`pacemaker` or `lifekeeper`"),
    ("engine", True, "`pacemaker`"),
    ("engine", ["pacemaker"], "`pacemaker`"),
    ("platform", "debian-11", "perhaps `debian-1"),
    ("platform", "centos", "`debian-12` or `debian-13`"),
    ("platform", 12, "in quotes"),
    ("nodes", [], "at least 1"),
    ("nodes", [NODE_B] * 3, "at most 2"),
    ("nodes", "proxy-a", "a list"),
    ("nodes", {"name": "a"}, "a list"),
    ("nodes[0]", "proxy-a", "a section with `name`, `address`"),
    ("nodes[0].name", "proxy_a", "`uname -n`"),
    ("nodes[0].name", "-a", "`uname -n`"),
    ("nodes[0].name", "a-", "`uname -n`"),
    ("nodes[0].name", "a..b", "`uname -n`"),
    ("nodes[0].name", "a b", "`uname -n`"),
    ("nodes[0].name", "", "`uname -n`"),
    ("nodes[0].name", "a" * 64, "`uname -n`"),
    ("nodes[0].name", "knoten-ä", "`uname -n`"),
    ("nodes[0].name", "a;reboot", "`uname -n`"),
    ("nodes[0].name", "$(id)", "`uname -n`"),
    ("nodes[0].name", "../a", "`uname -n`"),
    ("nodes[0].name", "a\nb", "without line breaks"),
    ("nodes[0].name", "a\x00b", "without line breaks"),
    ("nodes[0].name", "a\u200bb", "invisible characters"),
    ("nodes[0].name", "localhost", "another name"),
    ("nodes[0].name", "Active", "another name"),
    ("nodes[0].name", "12", "`uname -n`"),
    ("nodes[0].name", 12, "in quotes"),
    ("nodes[0].name", None, "nothing is written after the colon"),
    ("nodes[0].address", "192.0.2.300", "such as `192.0.2.11`"),
    ("nodes[0].address", "192.0.2.011", "such as `192.0.2.11`"),
    ("nodes[0].address", "192.0.2", "such as `192.0.2.11`"),
    ("nodes[0].address", "192.0.2.11/24", "such as `192.0.2.11`"),
    ("nodes[0].address", "http://192.0.2.11/", "an address alone, without `http://`"),
    ("nodes[0].address", "proxy-a/24", "such as `192.0.2.11`"),
    ("nodes[0].ssh_host", "ssh://proxy-a", "a host's name or address alone, without `ssh://`"),
    ("nodes[0].ssh_host", "proxy-a/24", "a host name or an address"),
    ("nodes[0].address", "proxy-a.example.org", "such as `192.0.2.11`"),
    ("nodes[0].address", "0.0.0.0", "one host"),
    ("nodes[0].address", "127.0.0.1", "one host"),
    ("nodes[0].address", "224.0.0.1", "one host"),
    ("nodes[0].address", "fe80::1%eth0", "without a zone"),
    ("nodes[0].address", 192.0, "in quotes"),
    ("nodes[0].address", "198.51.100.11", "in 192.0.2.0/24"),
    ("nodes[0].address", "192.0.2.0", "neither its first nor its last"),
    ("nodes[0].address", "192.0.2.255", "neither its first nor its last"),
    ("nodes[0].ssh_port", 0, "at least 1"),
    ("nodes[0].ssh_port", 65536, "at most 65535"),
    ("nodes[0].ssh_port", "22", "without quotes"),
    ("nodes[0].ssh_host", "a b", "a host name or an address"),
    ("nodes[1].ssh_host", "192.0.2.11", "nodes[0] is reached at 192.0.2.11 by port 22 too"),
    ("nodes[0].ssh_host", "192.0.2.12", "nodes[1] is reached at 192.0.2.12 by port 22 too"),
    ("nodes[0].ssh_host", "192.0.2.10", "behind the virtual IP is whichever node is active"),
    ("nodes[0].away", "yes", "`true` or `false`"),
    ("nodes[0].away", 1, "`true` or `false`"),
    ("nodes[0].replication_address", "192.0.2.77", "in 172.16.77.0/24"),
    ("nodes[0].replication_address", None, "the node's address in 172.16.77.0/24"),
    ("nodes[0].adress", "192.0.2.11", "perhaps `address`"),
    ("nodes[1].name", "proxy-a", "differs from that of nodes[0]"),
    ("nodes[1].name", "PROXY-A", "differs from that of nodes[0]"),
    ("nodes[1].address", "192.0.2.11", "an address of its own"),
    ("nodes[1].replication_address", "172.16.77.11", "an address of its own"),
    ("nodes[0].mirror_device", "sdb", "below /dev"),
    ("nodes[1].mirror_device", "/dev/drbd0", "not the mirror"),
    ("nodes[1].mirror_device", "/dev/disk/by-id/scsi-0EXAMPLE_sbd", "other than that of the fencing"),
    ("ssh.user", "Ops", "a login name"),
    ("ssh.user", "ops;id", "a login name"),
    ("ssh.port", 22.0, "a whole number"),
    ("ssh.port", True, "a whole number"),
    ("ssh.identity", "id_ed25519", "absolute or from `~/`"),
    ("ssh.identity", "/root/../x", "absolute or from `~/`"),
    ("ssh.known_hosts", "", "absolute or from `~/`"),
    ("ssh.proxy_jump", "a b", "a host to go through"),
    ("ssh.proxy_jump", "-oProxyCommand=x", "a host to go through"),
    ("ssh.proxy_jump", "h:65536", "a host to go through"),
    ("ssh.proxy_jump", "h:0", "a host to go through"),
    ("ssh.proxy_command", "ssh -W %x bastion", "not `%x`"),
    ("ssh.proxy_command", "nc '%h %p", "a closing quote is missing"),
    ("ssh.proxy_command", 'nc "%h %p', "a closing quote is missing"),
    ("ssh.proxy_command", "nc %h %p \\", "a `\\` ends the command"),
    ("ssh.proxy_command", " ", "a command that carries"),
    ("ssh.proxy_command", "a\nb", "without line breaks"),
    ("ssh.sudo_password", "geheim", "`sudo_password: {secret: NAME}`; its value is set by `pulumi config set --secret"),
    ("ssh.sudo_password", {"secret": "a b"}, "pulumi config set --secret"),
    ("ssh.sudo_password", {"secure": "AAAB"}, "{secret: NAME}"),
    ("ssh.sudo_password", {"secret": "sudo"}, "when the user is root"),
    ("ssh.connect_timeout", 15, "a number alone has no unit"),
    ("ssh.connect_timeout", "15", "with its unit"),
    ("ssh.connect_timeout", "0s", "at least `1s`"),
    ("network", None, "a section with `public`"),
    ("network.public", {}, "required"),
    ("network.public.interface", "eth0; reboot", "`ip link`"),
    ("network.public.interface", "a-very-long-interface", "`ip link`"),
    ("network.public.interface", "eth1", "an interface of its own"),
    ("network.public.subnet", "192.0.2.0", "192.0.2.0/32"),
    ("network.public.subnet", "192.0.2.5/24", "`192.0.2.0/24` holds 192.0.2.5"),
    ("network.public.subnet", "192.0.2.0/33", "such as `192.0.2.0/24`"),
    ("network.public.subnet", "2001:db8::/64", "in 2001:db8::/64"),
    ("network.public.reachable", "192.0.2.1", "a list"),
    ("network.public.reachable", ["gateway"], "such as `192.0.2.11`"),
    ("network.public.reachable", ["192.0.2.11"], "outside of this site"),
    ("network.public.reachable", ["172.16.77.12"], "outside of this site"),
    ("network.public.reachable", ["192.0.2.1", "192.0.2.0"], "neither its first nor its last"),
    ("network.public.reachable", ["192.0.2.255"], "neither its first nor its last"),
    ("network.public.reachable", ["192.0.2.10"], "outside of this site"),
    ("network.public.reachable", ["192.0.2.1", "192.0.2.1"], "each entry once"),
    ("network.replication", None, "because there is a mirror"),
    ("network.replication.subnet", "192.0.2.0/25", "apart from the public one"),
    ("network.replication.subnet", "172.16.0.0/12 ", "such as `192.0.2.0/24`"),
    ("network.replication.interface", "eth0", "an interface of its own"),
    ("network.private", {}, "known here: `public`, `replication`"),
    ("virtual_ip", None, "because there are two nodes"),
    ("virtual_ip", "192.0.2.11", "that of proxy-a"),
    ("virtual_ip", "10.0.0.1", "in 192.0.2.0/24"),
    ("virtual_ip", "192.0.2.10/24", "such as `192.0.2.10`"),
    ("virtual_ip", ["192.0.2.10"], "an IPv4 or IPv6 address"),
    ("squid", None, "a section with `port`"),
    ("squid.port", "3128", "without quotes"),
    ("squid.port", 0, "at least 1"),
    ("squid.port", 70000, "at most 65535"),
    ("squid.port", 22, "taken by ssh.port"),
    ("squid.port", 5405, "taken by Corosync"),
    ("squid.allow", [], "at least 1"),
    ("squid.allow", "192.0.2.0/24", "a list"),
    ("squid.allow", ["0.0.0.0/0"], "everybody"),
    ("squid.allow", ["::/0"], "everybody"),
    ("squid.allow", ["::ffff:0:0/96"], "in its own notation, such as `0.0.0.0/0`"),
    ("nodes[0].address", "::ffff:192.0.2.11", "in its own notation, such as `192.0.2.11`"),
    ("squid.allow", ["8.8.8.0/24"], "allow_public: true"),
    ("squid.allow", ["10.0.0.0/7"], "allow_public: true"),
    ("squid.allow", ["2002::/16"], "allow_public: true"),
    ("squid.allow", ["2002:a00::/24"], "allow_public: true"),
    ("squid.allow", ["2001::/32"], "allow_public: true"),
    ("squid.allow", ["2001:0:4136::/48"], "allow_public: true"),
    ("squid.allow", ["2001::/23"], "allow_public: true"),
    ("squid.allow", ["10.0.0.0/8", "10.0.0.0/8"], "each entry once"),
    ("squid.allow", ["all"], "such as `192.0.2.0/24`"),
    ("squid.allow", ["10.0.0.1"], "`10.0.0.1/32`"),
    ("squid.allow", ["10.0.0.0/8\nhttp_access allow all"], "without line breaks"),
    ("squid.allow_public", "no", "`true` or `false`"),
    ("squid.shutdown_lifetime", "55s", "at most 47s"),
    ("squid.shutdown_lifetime", "1500ms", "whole seconds"),
    ("squid.shutdown_lifetime", "1 s", "such as `6s`"),
    ("squid.shutdown_lifetime", "-1s", "such as `6s`"),
    ("squid.shutdown_lifetime", "01s", "such as `6s`"),
    ("squid.shutdown_lifetime", "1.5s", "such as `6s`"),
    ("squid.visible_hostname", "proxy lab", "a host name"),
    ("squid.visible_hostname", 1.10, "in quotes"),
    ("squid.include", ["conf.d/x.conf"], "absolute path"),
    ("squid.include", ["/etc/squid/a b.conf"], "absolute path"),
    ("squid.include", ["/etc/squid/../shadow"], "absolute path"),
    ("squid.probe_url", "ftp://x/", "such as `http://192.0.2.1/`"),
    ("drill.url", "https://x/", "such as `http://192.0.2.1/`"),
    ("squid.probe_url", "http://x/'; id", "such as `http://192.0.2.1/`"),
    ("log.format", "apache", "or a format such as"),
    ("log.format", "%ts %zz", "`%zz` is none"),
    ("log.format", "%ts %", "`%` is none"),
    ("log.format", "100%%", "or a format such as"),
    ("log.format", "%ts \n%ru", "without line breaks"),
    ("log.format", " %ts", "without blanks at the ends"),
    ("log.format", "#%ts %ru", "does not begin with `#`"),
    ("log.format", "%ts ü", "ASCII"),
    ("log.format", "%ts" + "x" * 5000, "at most 4096"),
    ("log.on_full", "die", "`stop` or `drop`"),
    ("log.on_full", False, "`stop` or `drop`"),
    ("log.local_file", "a/b.log", "without directories"),
    ("log.local_file", ".log", "without directories"),
    ("log.local_file", "access", "ends in `.log`"),
    ("log.local_file", "cache.log", "Squid writes its own"),
    ("log.mirror_file", "..", "without directories"),
    ("log.fromat", "squid", "perhaps `format`"),
    ("mirror.device", "sdb", "below /dev"),
    ("mirror.device", "/dev/../etc/passwd", "below /dev"),
    ("mirror.device", "/dev/drbd0", "not the mirror"),
    ("mirror.device", "/dev/null", "`/dev/null` is none"),
    ("mirror.device", "/dev/sdb; rm -rf /", "below /dev"),
    ("mirror.mount_point", "/", "a directory of its own"),
    ("mirror.mount_point", "/mnt", "a directory of its own"),
    ("mirror.mount_point", "/etc", "outside of `/etc`"),
    ("mirror.mount_point", "/etc/squid", "outside of `/etc`"),
    ("mirror.mount_point", "/var/log/squid", "outside of `/var/log`"),
    ("mirror.mount_point", "/usr/local/log", "outside of `/usr`"),
    ("mirror.mount_point", "mnt/mirror", "an absolute path"),
    ("mirror.mount_point", "/mnt/mirror/", "an absolute path"),
    ("mirror.mount_point", "/mnt//mirror", "an absolute path"),
    ("mirror.mount_point", "/mnt/../etc", "an absolute path"),
    ("mirror.mount_point", "/mnt/mir ror", "an absolute path"),
    ("mirror.mount_point", "/mnt/`id`", "an absolute path"),
    ("mirror.mount_point", "/mnt/a'b", "an absolute path"),
    ("mirror.filesystem", "btrfs", "`ext3`, `ext4` or `xfs`"),
    ("mirror.on_remove", "delete", "`keep` or `wipe`"),
    ("mirror.port", 3128, "taken by squid.port"),
    ("mirror.label", "much-too-long-label", "at most 12"),
    ("mirror.label", "a b", "at most 12"),
    ("mirror.protocol", "A", "known here: `device`"),
    ("rotation.schedule", "nightly", "`hourly`, `daily`"),
    ("rotation.keep", 0, "at least 1"),
    ("rotation.keep", "14", "without quotes"),
    ("rotation.compress", "yes", "`true` or `false`"),
    ("rotation.max_size", 500, "a number alone has no unit"),
    ("rotation.size", 1e9, "a number alone has no unit"),
    ("rotation.size", True, "in quotes"),
    ("rotation.max_size", "500MB", "such as `500M`"),
    ("time", None, "because both nodes write one log"),
    ("time.service", "ntp", "`chrony`"),
    ("time.servers", [], "at least 1"),
    ("time.servers", ["192.0.2.12"], "outside of this site"),
    ("time.servers", ["192.0.2.10"], "outside of this site"),
    ("time.servers", ["172.16.77.11"], "outside of this site"),
    ("time.servers", ["Proxy-A"], "outside of this site"),
    ("time.servers", ["a.example.org", "a.example.org"], "each entry once"),
    ("time.servers", ["pool ntp"], "a host name or an address"),
    ("time.minimum_sources", 2, "at most 1"),
    ("time.max_offset", "0.5s", "such as `6s`"),
    ("time.max_offset", "5m", "between 1ms and 60s"),
    ("time.wait", "0s", "at least 1s"),
    ("timeouts.squid.stop", "10s", "at least 14s, `squid.shutdown_lifetime` (1s) and 13s: a stop that takes longer f"),
    ("timeouts.squid.stop", "60500ms", "whole seconds"),
    ("timeouts.mirror.monitor_interval", "1s", "at least `2s`"),
    ("timeouts.squid.restart", "10s", "perhaps `start`"),
    ("timeouts.address.start", "0s", "at least `1s`"),
    ("timeouts.vip", {}, "known here: `mirror`"),
    ("stickiness", -1, "at least 0"),
    ("stickiness", "INFINITY", "a whole number"),
    ("stickiness", 2_000_000, "at most 1000000"),
    ("pacemaker", None, "because there are two nodes"),
    ("pacemaker.token", "100ms", "between 1s and 60s"),
    ("pacemaker.token", 3000, "with its unit"),
    ("pacemaker.fencing", {}, "either `sbd: {device: ...}`"),
    ("pacemaker.fencing", "none", "a section with `sbd`, `none`"),
    ("pacemaker.fencing", {"none": "no"}, "why this site goes without"),
    ("pacemaker.fencing", {"none": True}, "why this site goes without"),
    ("pacemaker.fencing.none", REASON, "not both"),
    ("pacemaker.fencing.sbd.device", "/dev/disk/by-id/scsi-0EXAMPLE_data", "other than that of the mirror"),
    ("pacemaker.fencing.sbd.watchdog", "/dev/null", "a watchdog's path"),
    ("pacemaker.fencing.sbd.watchdog_timeout", "15s", "at least 30s"),
    ("pacemaker.fencing.sbd.message_timeout", "15s", "at least 20s"),
    ("pacemaker.fencing.sbd.message_timeout", "20500ms", "whole seconds"),
    ("pacemaker.fencing.sbd.message_timeout", "170s", "at most 180s, not 187s"),
    ("pacemaker.stonith_timeout", "20s", "at least 24s"),
    ("pacemaker.priority_fencing_delay", "500ms", "whole seconds"),
    ("pacemaker.ipmi", {}, "known here: `token`"),
    ("takeover", "true", "`true` or `false`"),
    ("keep", 14, "`rotation.keep` is one"),
    ("vip", "192.0.2.10", "no such setting"),
    ("virtual-ip", "192.0.2.10", "perhaps `virtual_ip`"),
]

# The setting that is at fault is not always the one that was set.
ELSEWHERE = {
    ("network.public.interface", "eth1"): "network.replication.interface",
    ("network.public.subnet", "2001:db8::/64"): "nodes[0].address",
    ("pacemaker.fencing.sbd.watchdog_timeout", "15s"): "pacemaker.fencing.sbd.message_timeout",
}


@pytest.mark.parametrize(("path", "value", "sentence"), SETTINGS)
def test_a_wrong_setting_is_refused(site, path: str, value: object, sentence: str):
    put(site, path, value)
    assert told(site, ELSEWHERE.get((path, str(value)), path), sentence, below=True)


# of the site of a phase: settings, path at fault, sentence
TOGETHER = [
    (1, {"virtual_ip": "192.0.2.10"}, "virtual_ip", "a single node"),
    (1, {"mirror": {"device": "/dev/sdb"}}, "mirror", "a single node"),
    (1, {"pacemaker": {"fencing": {"none": REASON}}}, "pacemaker", "a single node"),
    (1, {"timeouts": {"squid": {"stop": "60s"}}}, "timeouts.squid", "does not run one here"),
    (1, {"nodes[0].away": True}, "nodes[0].away", "not away"),
    (1, {"rotation": {"keep": 3}}, "rotation", "without a mirror"),
    (1, {"nodes[0].replication_address": "172.16.77.11"}, "nodes[0].replication_address", "network.replication"),
    (2, {"rotation": {}}, "rotation", "without a mirror"),
    (2, {"nodes[1].mirror_device": "/dev/disk/by-id/x"}, "nodes[1].mirror_device", "no disk without a mirror"),
    (2, {"timeouts": {"mirror": {"stop": "60s"}}}, "timeouts.mirror", "does not run one here"),
    (2, {"nodes[0].away": True, "nodes[1].away": True}, "nodes[1].away", "not away"),
    (2, {"network.replication": None}, "nodes[0].replication_address", "network.replication"),
    (3, {"ssh.proxy_jump": "b.example.org", "ssh.proxy_command": "nc %h %p"}, "ssh.proxy_command", "not both"),
    (3, {"ssh.port": 7789}, "mirror.port", "taken by ssh.port"),
    (3, {"nodes[1].ssh_port": 3128}, "squid.port", "taken by nodes[1].ssh_port"),
    (3, {"nodes": [NODE_B]}, "mirror", "a single node"),
    (
        3,
        {"nodes[0].ssh_host": "g.example", "nodes[1].ssh_host": "G.example"},
        "nodes[1].ssh_host",
        "an `ssh_port` each",
    ),
    (
        3,
        {"nodes[0].ssh_host": "g", "nodes[1].ssh_host": "g", "nodes[1].ssh_port": 22},
        "nodes[1].ssh_host",
        "port 22 too",
    ),
]


@pytest.mark.parametrize(("phase", "changes", "path", "sentence"), TOGETHER)
def test_what_makes_no_sense_together_is_refused(phase, changes, path, sentence):
    assert told(changed(phase, changes), path, sentence)


@pytest.mark.parametrize("missing", ["engine", "platform", "nodes", "network", "squid"])
def test_what_is_missing_is_named(site, missing):
    del site[missing]
    assert [m for m in refused(site) if m.path == missing and m.found is None and "required" in m.expected]


def test_a_secret_in_clear_is_not_repeated(site):
    put(site, "ssh.user", "ops")
    put(site, "ssh.sudo_password", "geheim")
    assert "geheim" not in "".join(m.render() for m in refused(site))


RELAY = {"to": ["ops@example.org"], "sender": "proxy@example.org"}
PASSWORDS = [
    ("squid.parents", {"proxies": [{"host": "http://u:pass word@p.example.org:3128"}]}, "http://…@p.example.org:3128"),
    ("squid.parents", {"proxies": [{"host": "p.example.org", "login": "u:pass@word"}]}, "u:…"),
    ("squid.access", [{"action": "allow", "users": ["u:password"]}], "u:…"),
    ("squid.auth", {"ldap": {"uri": "ldap://u:password@l.example.org", "base": "o=x"}}, "ldap://…@l.example.org"),
    ("alerts", {"mail": RELAY | {"relay": {"host": "smtp://u:pass@word@m.example.org"}}}, "smtp://…@m.example.org"),
    ("alerts", {"mail": RELAY | {"relay": {"host": "m.example.org", "user": "u:password"}}}, "u:…"),
    ("alerts", {"webhook": {"url": "https://password@c.example.org/x"}}, "https://…@c.example.org/x"),
    ("ssh.proxy_jump", "ops:password@b.example.org", "ops:…@b.example.org"),
    ("ssh.proxy_jump", f"ops:{'password' * 20}@b.example.org", "ops:…@b.example.org"),
]


@pytest.mark.parametrize(("path", "value", "found"), PASSWORDS)
def test_a_password_in_an_address_or_behind_a_name_is_not_repeated(site, path, value, found):
    put(site, path, value)
    mistakes = refused(site)
    assert found in {m.found for m in mistakes}
    assert "word" not in "".join(f"{m.found} {m.expected}" for m in mistakes)


def test_encrypted_values_that_pulumi_opened_are_refused(site):
    with pytest.raises(DeclarationError, match="--secret NAME"):
        read(site, "test", encrypted=True)


def test_all_mistakes_are_told_at_once(site):
    put(site, "engine", "heartbeat")
    put(site, "squid.port", "3128")
    put(site, "virtual_ip", "192.0.2.11")
    put(site, "pacemaker.stonith_timeout", "1s")
    put(site, "tiem", {})
    paths = {m.path for m in refused(site)}
    assert paths == {"engine", "squid.port", "virtual_ip", "pacemaker.stonith_timeout", "tiem"}


@pytest.mark.parametrize("raw", [[], "text", "", "[]", "nodes: 3", {}])
def test_what_is_no_site_at_all_is_refused(raw):
    with pytest.raises(DeclarationError, match=r"test: "):
        read(raw, "test")
