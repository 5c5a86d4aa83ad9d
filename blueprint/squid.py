"""Squid's configuration: what the declaration says, in the words of squid.conf, on each node."""

from __future__ import annotations

from blueprint import names, paths
from blueprint.logs import squid_logs
from blueprint.nodes import present
from blueprint.parts import PROXY
from blueprint.platforms import PLATFORMS
from blueprint.render import squid_conf
from blueprint.render.squid_access import ANYBODY, Rule
from blueprint.render.squid_auth import Auth, Ldap
from blueprint.render.squid_parents import Parent, Parents
from blueprint.squid_settings import settings
from blueprint.thing import Thing
from blueprint.traits import traits
from declaration import squid_access
from declaration.addresses import address
from declaration.ports import owners
from declaration.site import Site
from declaration.squid_access import AccessRule
from providers.host.secret_files import UNSEALED, SecretFile
from providers.host.settings import FileState, NodeSettings, UnitState
from providers.squid import config
from providers.squid.accepted import AS_ACCEPTED

_SQUIDS_DAYS = "SMTWHFA"


def squid_conf_text(site: Site, owner: str, node: str = "") -> str:
    """squid.conf of ``node`` (the first one); they differ only in the address that servers see, if that is theirs."""
    squid = site.squid
    own = site.node(node or site.nodes[0].name).address
    return squid_conf.render(
        squid_conf.SquidConf(
            site=owner,
            port=squid.port,
            more_ports=squid.more_ports,
            addresses=(str(site.virtual_ip), "127.0.0.1") if squid.listen == "virtual_ip" else (),
            outgoing={"node": own, "virtual_ip": site.virtual_ip}.get(squid.outgoing or ""),
            allow=squid.allow,
            connect_ports=squid.connect_ports,
            safe_ports=squid.safe_ports,
            rules=tuple(_rule(each) for each in squid.access),
            auth=_auth(site),
            parents=_parents(site),
            settings=settings(site),
            visible_hostname=squid.visible_hostname,
            shutdown_lifetime=round(squid.shutdown_lifetime.seconds),
            logs=squid_logs(site),
            spool=PLATFORMS[site.platform].squid_spool,
            includes=squid.include,
        )
    )


def _rule(declared: AccessRule) -> Rule:
    return Rule(
        action=declared.action,
        networks=declared.networks,
        domains=declared.domains,
        methods=declared.methods,
        ports=declared.ports,
        times=tuple(_time(hours) for hours in declared.times),
        users=declared.users or (ANYBODY if declared.authenticated else ()),
    )


def _time(hours: str) -> str:
    """Squid's letters for days (``H`` is Thursday, ``A`` Saturday) and its clock, which knows 24:00."""
    days = "".join(_SQUIDS_DAYS[day] for day in squid_access.days_of(hours))
    first, last = squid_access.minutes_of(hours)
    return f"{days} {first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"


def _auth(site: Site) -> Auth | None:
    declared = site.squid.auth
    if declared is None:
        return None
    ldap, kerberos = declared.ldap, declared.kerberos
    return Auth(
        helpers=PLATFORMS[site.platform].squid_helpers,
        count=declared.helpers,
        realm=declared.realm,
        ttl=declared.ttl.whole_seconds,
        users=_own_file(site, paths.SQUID_USERS) if declared.basic else None,
        ldap=Ldap(
            uri=ldap.uri,
            base=ldap.base,
            filter=ldap.filter,
            start_tls=ldap.start_tls,
            bind_dn=ldap.bind_dn,
            password_file=_own_file(site, paths.SQUID_LDAP) if ldap.bind_password else None,
        )
        if ldap
        else None,
        keytab=kerberos.keytab if kerberos else None,
        principal=kerberos.principal if kerberos else None,
    )


def _own_file(site: Site, name: str) -> str:
    return f"{PLATFORMS[site.platform].squid_directory}/{name}"


def _parents(site: Site) -> Parents | None:
    declared = site.squid.parents
    if declared is None:
        return None
    turn = {"first": (), "in_turn": ("round-robin",), "by_client": ("sourcehash",)}[declared.choose]
    return Parents(
        proxies=tuple(
            Parent(
                host=each.host,
                port=each.port,
                options=(
                    *turn,
                    *([f"weight={each.weight}"] if each.weight > 1 else []),
                    *(["login=PASSTHRU"] if each.login == "pass" else []),
                    *(["tls"] if each.tls else []),
                ),
                domains=each.domains,
            )
            for each in declared.proxies
        ),
        never_direct=declared.direct == "never",
    )


def thing(site: Site, owner: str) -> Thing:
    """Squid's configuration on all nodes; enabled at boot only where no engine runs Squid."""
    platform = PLATFORMS[site.platform]
    auth, included = site.squid.auth, bool(site.squid.include)
    inputs = config.Wanted(
        nodes={node: _node_settings(site, owner, node) for node in present(site)},
        kernel={node: kernel_settings(site) for node in present(site)} if kernel_settings(site) else {},
        secrets=_secrets(site),
        readable={auth.kerberos.keytab: platform.squid_user} if auth and auth.kerberos else {},
        reserved=_reserved(site) if included else {},
        may_be_open=included and site.squid.allow_public,
        included=dict.fromkeys(present(site), AS_ACCEPTED) if included else {},
        unit=platform.squid_unit,
        port=str(site.squid.port),
        probe_url=site.squid.probe_url or squid_conf.PROBE_URL,
        mounts=[site.mirror.mount_point] if site.mirror else [],
    )
    # A running Squid can take over a log on the mirror only where that is mounted, so it is mounted first. An engine
    # is there first: from here on no boot starts Squid, and it must not stay so for long (docs/decisions/009).
    after = (names.PACKAGES, names.SQUID_PROFILE, names.OPTIONS, *((names.TREE_FILESYSTEM,) if site.mirror else ()))
    return Thing(names.SQUID_CONFIG, "squid.config", inputs, PROXY, after)


def _node_settings(site: Site, owner: str, node: str) -> NodeSettings:
    platform = PLATFORMS[site.platform]
    by_engine = site.virtual_ip is not None
    drop_in = f"{paths.UNIT_DIRECTORY}/{platform.squid_unit}.d"
    stop = round(site.timeouts.squid.stop.seconds)
    return NodeSettings(
        directories={drop_in: "0755 root:root"},
        files={
            platform.squid_configuration: FileState(
                content=squid_conf_text(site, owner, node),
                mode="0644",
                owner="root:root",
                check=["squid", "-k", "parse", "-f", "{}"],
            ),
            f"{drop_in}/squid-ha.conf": FileState(
                content=_unit_override(traits(site).squid_stops_after, stop), mode="0644", owner="root:root"
            ),
            **_kernel_file(site),
            **{
                path: FileState(content=UNSEALED, mode="0640", owner=f"root:{platform.squid_group}")
                for path in _secrets(site)
            },
        },
        units={
            platform.squid_unit: UnitState(
                enabled="disabled" if by_engine else "enabled", active=None if by_engine else "active"
            )
        },
    )


def kernel_settings(site: Site) -> dict[str, str | None]:
    """Squid is started before the virtual IP comes to its node, and must be let listen on it by then."""
    if site.squid.listen != "virtual_ip" or site.virtual_ip is None:
        return {}
    return {f"net.ipv{address(site.virtual_ip).version}.ip_nonlocal_bind": "1"}


def _kernel_file(site: Site) -> dict[str, FileState]:
    lines = [f"{name} = {value}\n" for name, value in kernel_settings(site).items()]
    why = "# Squid listens on the virtual IP, which comes to this node only after it. Managed by squid-ha.\n"
    return {paths.KERNEL: FileState(content=why + "".join(lines), mode="0644", owner="root:root")} if lines else {}


def _secrets(site: Site) -> dict[str, SecretFile]:
    auth = site.squid.auth
    made: dict[str, SecretFile] = {}
    if auth and auth.basic:
        made[_own_file(site, paths.SQUID_USERS)] = SecretFile(name=auth.basic.password_file.secret, form="users")
    if auth and auth.ldap and auth.ldap.bind_password:
        made[_own_file(site, paths.SQUID_LDAP)] = SecretFile(name=auth.ldap.bind_password.secret, form="line")
    return made


def _reserved(site: Site) -> dict[str, str]:
    """Ports of others on the nodes, for files that are not the declaration's."""
    made = {str(port): whose for port, whose in owners(site.engine).items()}
    made |= {str(node.ssh_port or site.ssh.port): "SSH" for node in site.nodes}
    return made | ({str(site.mirror.port): "the mirror"} if site.mirror else {})


def _unit_override(outlived: str, stop_timeout: int) -> str:
    """systemd must give up and kill before the engine's stop timeout ends, or a slow stop fences the node.

    ``Before`` turns round at shutdown: Squid outlives the engine, which would count its stop as a failure.
    """
    order = f"[Unit]\nBefore={outlived}\n\n" if outlived else ""
    return f"{order}[Service]\nTimeoutStopSec={max(stop_timeout - 5, 5)}s\n"
