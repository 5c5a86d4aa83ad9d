"""What must be accepted, and what it turns into."""

import copy
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from declaration.load import read
from declaration.logformat import BUILT_IN, CODES, codes_of
from declaration.quantities import Duration
from declaration.site import Site
from operations.stacks import render
from tests.unit.declaration.conftest import SITES, put, refused


def test_the_lab_is_a_site_of_phase_3():
    site = read(render("lab.yaml.j2", lab="/project/.lab"), "lab")
    assert site.phase == 3
    assert site.ssh.proxy_command == "socat - UNIX-CONNECT:/project/.lab/run/%n.ssh"
    assert site.log.format.startswith("%ts.%03tu")


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_what_init_writes_is_valid_and_of_its_phase(phase):
    assert read(render("site.yaml.j2", phase=phase, stack="x"), "x").phase == phase


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_what_init_writes_for_lifekeeper_is_the_same_site_with_that_engine(phase):
    """Each setting of its section is one when it is uncommented, below those that are there."""
    text = render("site.yaml.j2", phase=phase, stack="x", engine="lifekeeper")
    site, other = read(text, "x"), read(render("site.yaml.j2", phase=phase, stack="x"), "x")
    assert (site.engine, site.phase, site.pacemaker) == ("lifekeeper", phase, None)
    only = {"engine", "pacemaker", "lifekeeper"}
    assert site.model_dump(exclude=only) == other.model_dump(exclude=only)
    assert (site.lifekeeper is None) == (phase == 1)
    below = text.partition("\n    lifekeeper:\n")[2].splitlines()
    section = takewhile(lambda line: line.startswith(("    #   ", "      ")), below)
    commented = [line for line in section if line[8:].partition(":")[0].isidentifier() and line[4] == "#"]
    assert len(commented) >= (0 if phase == 1 else 8)
    for line in commented:
        shown = read(text.replace(line, f"      {line[8:]}", 1), "x").lifekeeper
        assert shown is not None
        assert line[8:].partition(":")[0] in shown.model_fields_set


@pytest.mark.parametrize("phase", [2, 3])
def test_what_init_writes_for_lifekeeper_offers_nothing_that_is_refused_with_it(phase):
    text = render("site.yaml.j2", phase=phase, stack="x", engine="lifekeeper")
    words = "stickiness", "durability:", "data_journal", "failure", "label", "on_lost", "node_lost", "fencing", "wipe"
    assert [word for word in words if word in text] == []
    assert "fenced" not in text
    shown = text.replace("    # timeouts: {squid: {stop: 60s}}", "    timeouts: {squid: {stop: 60s}}")
    assert shown != text
    read(shown, "x")


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_defaults_shown_in_comments_are_the_defaults(phase):
    """Every commented setting is taken in, and but for examples changes nothing."""
    text = render("site.yaml.j2", phase=phase, stack="x")
    examples = (
        "ssh_host",
        "identity",
        "known_hosts",
        "proxy_",
        "sudo_password",
        "visible_",
        "include",
        "probe_url",
        "url:",
    )
    examples += ("max_size", "min_size", "size", "pools", "min_size", "size", "format", "none", "hooks")
    examples += ("access", "outgoing", "auth", "basic", "ldap", "kerberos", "parents", "dns", "timeouts: {c", "cache")
    examples += ("mirror_device", "adopted")
    lines, inside = [], False
    for line in text.splitlines():
        # Sections that a site has or has not, as a whole.
        inside = line.startswith(("    # alerts:", "    # adopted:", "    # lifekeeper:")) or (
            inside and line.startswith("    #   ")
        )
        setting = line.lstrip().removeprefix("# ")
        indent = line[: len(line) - len(line.lstrip())]
        shown = line.lstrip().startswith("# ") and setting.split(":")[0].strip().isidentifier() and ":" in setting
        if (
            shown
            and not inside
            and setting.strip().split(":")[0] not in {"name", "root", "ext3"}
            and not setting.strip().startswith(examples)
        ):
            lines.append(indent + setting.rstrip())
        else:
            lines.append(line)
    with_defaults = read("\n".join(lines), "x")
    assert len([line for line in lines if line not in text.splitlines()]) >= (5 if phase == 1 else 8)
    without = read(text, "x").model_dump()
    without["nodes"] = [{**node, "ssh_port": 22 if i == 0 else None} for i, node in enumerate(without["nodes"])]
    shown = with_defaults.model_dump()
    shown["nodes"] = list(shown["nodes"])
    assert shown == without


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_a_site_survives_being_written_and_read(phase):
    site = read(copy.deepcopy(SITES[phase]), "x")
    assert Site.model_validate(site.model_dump(mode="json", exclude_none=True, exclude_unset=True)) == site


def test_rules_hold_however_a_site_is_made(site):
    put(site, "virtual_ip", "192.0.2.11")
    with pytest.raises(ValueError, match="virtual_ip: an address of its own"):
        Site.model_validate(site)


def test_a_mirror_is_rotated_unless_told_otherwise(site):
    del site["rotation"]
    rotation = read(site, "x").rotation
    assert rotation is not None
    assert rotation.keep == 14


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("squid.allow", ["10.0.0.0/8", "fd00::/8", "100.64.0.0/10", "fe80::/10"]),
        ("nodes[0].ssh_host", "2001:db8::7"),
        ("nodes[0].away", True),
        ("pacemaker.fencing", {"none": "test site, split brain is accepted"}),
        ("mirror.device", "/dev/mapper/vg0-data"),
        ("mirror.mount_point", "/srv/squid/mirror"),
        ("squid.include", ["/etc/squid/conf.d/*.conf"]),
        ("ssh", {"user": "ops", "sudo_password": {"secret": "ops-sudo"}}),
        ("timeouts", {"mirror": {"monitor_interval": "2s"}}),
        ("squid.allow", ["2001:db8::/32"]),
        ("ssh.proxy_jump", "h:65535"),
        ("ssh.proxy_jump", "ops@bastion.example.org:2222"),
    ],
)
def test_customary_settings_are_accepted(site, path, value):
    put(site, path, value)
    assert read(site, "x").phase == 3


@pytest.mark.parametrize("way", [{"nodes[1].ssh_port": 2222}, {"ssh.proxy_command": "socat - UNIX-CONNECT:/run/%n"}])
def test_nodes_behind_one_host_are_told_apart_by_their_ports_or_their_names(site, way):
    for path, value in ({"nodes[0].ssh_host": "g.example", "nodes[1].ssh_host": "g.example"} | way).items():
        put(site, path, value)
    assert read(site, "x").nodes[1].connect_to == "g.example"


def test_a_public_proxy_is_possible_when_said(site):
    put(site, "squid.allow", ["0.0.0.0/0"])
    put(site, "squid.allow_public", True)
    assert read(site, "x").squid.allow == ("0.0.0.0/0",)


def test_phase_2_goes_without_a_second_network():
    site = copy.deepcopy(SITES[2])
    del site["network"]["replication"]
    for node in site["nodes"]:
        del node["replication_address"]
    assert read(site, "x").network.replication is None


@pytest.mark.parametrize(
    "text",
    [
        *BUILT_IN,
        '%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh',
        "%{%Y-%m-%dT%H:%M:%S}tl %sn %-20.30>A %http::>h{X-Id} %%",
    ],
)
def test_formats_that_squid_knows(site, text):
    put(site, "log.format", text)
    assert read(site, "x").log.format == text


@given(st.lists(st.sampled_from(sorted(CODES - {"%"})), min_size=1))
def test_every_code_is_found_in_a_format(codes):
    assert codes_of(" ".join(f"%{code}" for code in codes)) == codes


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_written_is_the_duration_read(milliseconds):
    duration = Duration.of_milliseconds(milliseconds)
    assert duration.milliseconds == milliseconds
    assert Duration(str(duration)) == duration
    assert 0 <= duration.whole_seconds - duration.seconds < 1


@given(st.text())
def test_no_text_but_a_duration_is_one(text):
    try:
        duration = Duration(text)
    except ValueError:
        return
    assert text.isascii()
    assert text == duration
    assert text.rstrip("msdh").isdigit()


@given(
    st.sampled_from(
        ["nodes[0].name", "squid.visible_hostname", "mirror.mount_point", "mirror.device", "ssh.user", "log.format"]
    ),
    st.text(min_size=1),
    st.sampled_from(["\n", "\r", "\x00", "\x85", "\u2028", "\x1b", "\u202e"]),
    st.text(),
)
def test_nothing_with_a_control_character_gets_in(path, before, control, after):
    site = copy.deepcopy(SITES[3])
    put(site, path, before + control + after)
    assert any(m.path == path for m in refused(site))
