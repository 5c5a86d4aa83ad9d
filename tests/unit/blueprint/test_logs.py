"""What the declaration of logs becomes: squid.conf, files on the mirror, parameters of agents, DRBD's file, outputs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprint.durability import bound
from blueprint.logs import squid_logs
from blueprint.outputs import outputs
from blueprint.render import squid_logs as render
from blueprint.site import things
from declaration.load import read
from declaration.mirror import Mirror
from declaration.site import Site
from providers import wire
from tests.unit.declaration.conftest import put

OWNER = "squid-ha/lab"
USUAL = """\
logformat squid_ha %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt
access_log stdio:/var/log/squid/access.log logformat=squid_ha on-error=die !squid_ha_probe
access_log stdio:/mnt/mirror/squid/access.log logformat=squid_ha on-error=die !squid_ha_probe
cache_log /var/log/squid/cache.log
logfile_rotate 0
"""
CONDITIONS = {
    "log.unless": {"domains": [".monitor.example.org"], "methods": ["HEAD"]},
    "log.additional": [
        {"file": "denied.log", "format": "%ts %Ss %ru", "only": {"status": ["403", "500-599"]}},
        {"file": "tunnels.log", "place": "local", "only": {"networks": ["192.0.2.0/25"], "ports": [443]},
         "unless": {"domains": ["a.example"]}},
    ],
}  # fmt: skip


def declared(settings: dict[str, Any], **changes: object) -> Site:
    for path, value in changes.items():
        put(settings, path, value)
    return read(settings, "lab")


def wanted(site: Site, name: str) -> dict[str, Any]:
    """A thing's inputs as they go to Pulumi."""
    return wire.encode(next(thing.inputs for thing in things(site, OWNER) if thing.name == name))


def lines(site: Site) -> list[str]:
    return render.lines(squid_logs(site))


def test_the_usual_logs_are_written_as_ever(site):
    assert "\n".join(lines(site)) + "\n" == USUAL


@pytest.mark.parametrize(
    ("access", "files"),
    [("local", ["/var/log/squid/access.log"]), ("mirror", ["/mnt/mirror/squid/access.log"]),
     ("both", ["/var/log/squid/access.log", "/mnt/mirror/squid/access.log"])],
)  # fmt: skip
def test_where_the_access_log_is_written_is_declared(settings, access, files):
    site = declared(settings, **{"log.access": access, "log.cache": "mirror"})
    found = lines(site)
    assert [line.split()[1] for line in found if line.startswith("access_log")] == [f"stdio:{file}" for file in files]
    assert "cache_log /mnt/mirror/squid/cache.log" in found
    assert ("mirror_log" in outputs(site)) == (access != "local")


def test_conditions_become_access_lists(settings):
    assert lines(declared(settings, **CONDITIONS))[1:] == [
        "logformat squid_ha_2 %ts %Ss %ru",
        "acl log_main_unless_dstdomain dstdomain -n .monitor.example.org",
        "acl log_main_unless_method method HEAD",
        "acl log_main_unless all-of log_main_unless_dstdomain log_main_unless_method",
        "acl log_1_only_http_status http_status 403 500-599",
        "acl log_2_only_src src 192.0.2.0/25",
        "acl log_2_only_port port 443",
        "acl log_2_unless_dstdomain dstdomain -n a.example",
        "access_log stdio:/var/log/squid/access.log logformat=squid_ha on-error=die !squid_ha_probe !log_main_unless",
        (
            "access_log stdio:/mnt/mirror/squid/access.log logformat=squid_ha on-error=die !squid_ha_probe"
            " !log_main_unless"
        ),
        (
            "access_log stdio:/var/log/squid/denied.log logformat=squid_ha_2 on-error=die !squid_ha_probe"
            " log_1_only_http_status"
        ),
        (
            "access_log stdio:/mnt/mirror/squid/denied.log logformat=squid_ha_2 on-error=die !squid_ha_probe"
            " log_1_only_http_status"
        ),
        (
            "access_log stdio:/var/log/squid/tunnels.log logformat=squid on-error=die !squid_ha_probe"
            " log_2_only_src log_2_only_port !log_2_unless_dstdomain"
        ),
        "cache_log /var/log/squid/cache.log",
        "logfile_rotate 0",
    ]


def test_where_records_are_dropped_the_probe_finds_its_own_on_the_mirror_and_nowhere_else(settings):
    site = declared(settings, **{"log.on_full": "drop", "log.on_lost": "fail", "log.only": {"methods": ["GET"]}})
    found = [line for line in lines(site) if line.startswith(("acl", "access_log"))]
    assert found == [
        "acl log_main_only_method method GET",
        "acl squid_ha_record_path urlpath_regex ^/record-",
        "acl squid_ha_record all-of squid_ha_probe squid_ha_record_path",
        "acl log_main_wanted all-of !squid_ha_probe log_main_only_method",
        "acl log_main_or_record any-of log_main_wanted squid_ha_record",
        (
            "access_log stdio:/var/log/squid/access.log logformat=squid_ha on-error=die !squid_ha_probe"
            " log_main_only_method"
        ),
        "access_log stdio:/mnt/mirror/squid/access.log logformat=squid_ha on-error=drop log_main_or_record",
    ]
    parameters = wanted(site, "tree-squid")["primitive"]["parameters"]
    assert parameters["record_log"] == "/mnt/mirror/squid/access.log"
    assert parameters["record_url"] == "http://probe.squid-ha.invalid/record-"
    assert parameters["record_lost"] == "fail"


def test_the_usual_agent_is_told_nothing_of_the_log(site):
    parameters = wanted(site, "tree-squid")["primitive"]["parameters"]
    assert set(parameters) == {"unit", "port", "probe_url", "probe_timeout"}
    assert "options" not in wanted(site, "tree-filesystem")["primitive"]["parameters"]
    assert wanted(site, "filesystem")["options"] == ""


def test_the_logs_on_the_mirror_belong_to_squid(settings):
    site = declared(settings, **CONDITIONS, **{"log.cache": "mirror", "log.mirror_mode": "0644"})
    assert wanted(site, "filesystem")["files"] == {
        f"squid/{name}": "0644 proxy:proxy" for name in ("access.log", "denied.log", "cache.log")
    }
    assert "umask 0022" in lines(site), "Squid makes the file anew after a rotation"


@pytest.mark.parametrize(
    ("changes", "mounted", "agent", "fixed"),
    [
        ({"mirror.durability": "sync"}, "sync", "sync,commit=5", None),
        ({"mirror.durability": "1s"}, "commit=1", "async,commit=1", "data=journal"),
        ({"mirror.durability": "1s", "mirror.filesystem": "ext4"}, "commit=1", "async,commit=1", "data=journal"),
        ({"mirror.durability": "sync", "mirror.data_journal": True}, "sync", "sync,commit=5", "data=journal"),
        ({"mirror.durability": "sync", "mirror.filesystem": "xfs"}, "sync", "sync", None),
        ({"mirror.data_journal": True}, "", None, "data=journal"),
    ],
)
def test_durability_becomes_mount_options(settings, changes, mounted, agent, fixed):
    """What follows a remount goes to the agent, whose parameters are reloaded; the rest restarts the filesystem."""
    site = declared(settings, **changes)
    assert wanted(site, "filesystem")["options"] == mounted
    parameters = wanted(site, "tree-squid")["primitive"]["parameters"]
    assert parameters.get("log_mount_options") == agent
    assert parameters.get("log_mount") == ("/mnt/mirror" if agent else None)
    assert wanted(site, "tree-filesystem")["primitive"]["parameters"].get("options") == fixed


def mirror_text(site: Site) -> str:
    """DRBD's file."""
    settings = wanted(site, "mirror")["nodes"]["qsp-a"]["settings"]
    return settings["files"]["/etc/drbd.d/squid-ha.res"]["content"]


def test_what_a_failing_disk_does_is_in_drbds_file(settings, site):
    usual = mirror_text(site)
    assert "        ko-count 7;\n" in usual
    assert "        on-io-error detach;\n" in usual
    assert "disk-timeout" not in usual
    failure = {"on_error": "pass_on", "disk_timeout": "30s", "peer_timeout": "1m"}
    changed = mirror_text(declared(settings, **{"mirror.failure": failure}))
    assert set(changed.splitlines()) - set(usual.splitlines()) == {
        "        ko-count 10;", "        on-io-error pass_on;", "        disk-timeout 300;",
    }  # fmt: skip


def test_every_durability_has_a_bound_and_says_whether_a_pair_was_measured():
    for filesystem in ("ext3", "ext4", "xfs"):
        for durability in ("relaxed", "1s", "sync"):
            for journal in (False, True):
                if filesystem == "xfs" and (durability == "1s" or journal):
                    continue
                found = bound(
                    Mirror.model_validate(
                        {"device": "/dev/sdb", "filesystem": filesystem, "durability": durability,
                         "data_journal": journal}
                    )
                )  # fmt: skip
                on_the_pair = filesystem == "ext3" and durability != "relaxed" and not journal
                assert ("NOT measured on a pair" in found.text) == (not on_the_pair)
                assert (found.seconds == 0) == (durability == "sync")


def test_the_bound_is_in_the_outputs(settings):
    told = outputs(declared(settings, **{"mirror.durability": "sync"}))["durability"]
    assert isinstance(told, dict)
    assert told["setting"] == "sync"
    assert told["crash of the active node"].startswith("no line that was written")


ADDITIONAL = [{"file": "denied.log", "place": "mirror"}, {"file": "tunnels.log", "place": "both"}]


def test_the_bound_is_told_where_only_additional_logs_lie_on_the_mirror(settings):
    told = outputs(declared(settings, **{"log.access": "local", "log.additional": ADDITIONAL}))
    durability = told["durability"]
    assert isinstance(durability, dict)
    assert "at most the last 35 s" in durability["crash of the active node"]
    assert "those of denied.log are lost" in durability["full mirror"]
    assert "mirror_log" not in told


@pytest.mark.parametrize(
    ("changes", "there", "not_there"),
    [
        ({}, "Squid stops; records of its last answers are not on the mirror: the local log has them", "lost"),
        ({"log.access": "mirror"}, "those of access.log are lost", "local log has them:"),
        ({"log.on_full": "drop"}, "which the probe notices: the local log has them", "lost"),
        ({"log.on_full": "drop", "log.access": "mirror"}, "those of access.log are lost", "the local log has them"),
        ({"log.access": "local", "log.cache": "mirror"}, "only Squid's own messages", "Squid stops"),
    ],
)
def test_what_a_full_mirror_costs_is_in_the_outputs(settings, changes, there, not_there):
    durability = outputs(declared(settings, **changes))["durability"]
    assert isinstance(durability, dict)
    assert there in durability["full mirror"]
    assert not_there not in durability["full mirror"]


def test_a_site_without_a_mirror_has_no_bound():
    from tests.unit.declaration.conftest import settings as of_phase  # noqa: PLC0415 a fixture would be shared

    assert "durability" not in outputs(read(of_phase(2), "lab"))


names = st.lists(st.text("abcxyz", min_size=1, max_size=8), min_size=2, max_size=4).map(".".join)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "domains": st.lists(names, min_size=1, max_size=3, unique=True),
        "methods": st.lists(st.sampled_from(["GET", "POST", "CONNECT"]), min_size=1, unique=True),
        "ports": st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True),
        "status": st.lists(st.sampled_from(["200", "403", "500-599"]), min_size=1, unique=True),
    },
)


@pytest.mark.thorough
@given(
    only=conditions, unless=conditions, more=st.lists(conditions, max_size=3), full=st.sampled_from(["stop", "drop"])
)
def test_every_access_list_is_defined_once_before_it_is_used(only, unless, more, full):
    from tests.unit.declaration.conftest import settings as of_phase  # noqa: PLC0415 a fixture would be shared

    raw = of_phase(3)
    raw["log"] = {"on_full": full, "only": only, "unless": unless}
    raw["log"]["additional"] = [{"file": f"more{i}.log", "only": each} for i, each in enumerate(more)]
    known = {"squid_ha_probe"}
    for line in lines(read(raw, "x")):
        words = line.split()
        used = words[3:] if words[:1] == ["acl"] and words[2] in {"all-of", "any-of"} else []
        used = words[4:] if words[0] == "access_log" else used
        assert {word.removeprefix("!") for word in used} <= known, line
        if words[0] == "acl":
            assert words[1] not in known, line
            known.add(words[1])
