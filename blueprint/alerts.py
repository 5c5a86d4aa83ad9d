"""Alerts: on every node a program that keeps and sends events, and what looks for those that nobody raises.

What only an engine knows of (who left, where the service went) is raised by the engine's own part, which it adds
by `things`; a site without one looks at its clock alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blueprint import names, paths
from blueprint.nodes import present
from blueprint.parts import HOSTS
from blueprint.platforms import PLATFORMS
from blueprint.render import alerts as render
from blueprint.thing import Thing
from declaration.addresses import address
from declaration.alerts import Alerts, Relay, told
from declaration.rules.alerts import possible
from declaration.site import Site
from declaration.types import is_host_name
from providers.host import alert, secret_settings
from providers.host.secret_files import UNSEALED, SecretFile
from providers.host.settings import FileState, NodeSettings, UnitState

DIRECTORY = paths.PROGRAM_DIRECTORY
PROGRAM = f"{DIRECTORY}/alert"
SPOOL = alert.SPOOL
NEW = f"{SPOOL}/new"
MEMORY = f"{SPOOL}/agent"
CONFIGURATION = f"{paths.CONFIGURATION_DIRECTORY}/alerts.conf"
PASSWORD = f"{paths.CONFIGURATION_DIRECTORY}/alerts.password"
TOKEN = f"{paths.CONFIGURATION_DIRECTORY}/alerts.token"
URL = f"{paths.CONFIGURATION_DIRECTORY}/alerts.url"
SEND_PATH = "squid-ha-alerts.path"
CHECK_TIMER = "squid-ha-alerts-check.timer"


@dataclass(frozen=True)
class EngineAlerts:
    """What an engine adds: ``programs`` by path, the ``group`` that may raise events, how its mirror is looked at.

    ``look``: one of the programs, for an engine that raises no events and has to be asked; it gets ``look_words``.
    """

    programs: Mapping[str, str] = field(default_factory=dict[str, str])
    group: str = ""
    mirror_check: str = ""
    mirror_resource: str = ""
    look: str = ""
    look_words: tuple[str, ...] = ()


def packages(site: Site) -> tuple[str, ...]:
    """What sending needs on every node; a node's own sendmail is the node's."""
    if site.alerts is None:
        return ()
    mail = site.alerts.mail
    return PLATFORMS[site.platform].alert_packages if site.alerts.webhook or (mail and mail.relay) else ()


def with_alerts(site: Site, owner: str, made: list[Thing]) -> list[Thing]:
    """``made`` with the alerts of a site whose engine brought none of its own."""
    if site.alerts is None or any(thing.name == names.ALERTS for thing in made):
        return made
    return [*made, thing(site, site.alerts, owner, EngineAlerts())]


def thing(site: Site, declared: Alerts, owner: str, engine: EngineAlerts) -> Thing:
    """Program, configuration, secrets, spool and units, the same on all nodes."""
    secrets = _secrets(declared)
    program = alert.text({name: each.unit for name, each in PLATFORMS[site.platform].time_services.items()})
    units = paths.UNIT_DIRECTORY
    texts = {
        f"{units}/{SEND_PATH}": render.path_unit(NEW),
        f"{units}/squid-ha-alerts.service": render.send_service(PROGRAM),
        f"{units}/squid-ha-alerts-check.service": render.check_service(PROGRAM),
        f"{units}/{CHECK_TIMER}": render.check_timer(declared.check_every.whole_seconds),
    }
    shared = f"0770 root:{engine.group}" if engine.group else "0700 root:root"
    spool = {
        SPOOL: "0755 root:root",
        NEW: shared,
        f"{SPOOL}/held": "0700 root:root",
        f"{SPOOL}/queue": "0700 root:root",
        f"{SPOOL}/state": "0700 root:root",
    }
    if engine.group:
        spool[MEMORY] = shared
    settings = NodeSettings(
        directories={paths.CONFIGURATION_DIRECTORY: "0755 root:root", DIRECTORY: "0755 root:root", **spool},
        files={
            **{path: _file(text, "0755") for path, text in {PROGRAM: program, **engine.programs}.items()},
            **{path: _file(text, "0644") for path, text in texts.items()},
            CONFIGURATION: _file(render.configuration(rendered(site, declared, owner, engine)), "0600"),
            **{path: _file(UNSEALED, "0600") for path in secrets},
        },
        units={
            name: UnitState(enabled="enabled", active="active", restart_on=[f"{units}/{name}"])
            for name in (SEND_PATH, CHECK_TIMER)
        },
    )
    inputs = secret_settings.Wanted(
        nodes=dict.fromkeys(present(site), settings), secrets=secrets, scratch=sorted(set(spool) - {SPOOL})
    )
    return Thing(names.ALERTS, "host.secret_settings", inputs, HOSTS, (names.PACKAGES,))


def rendered(site: Site, declared: Alerts, owner: str, engine: EngineAlerts) -> render.Configuration:
    """What the program on the nodes is told."""
    mail, webhook = declared.mail, declared.webhook
    secrets = _secrets(declared)
    return render.Configuration(
        site=owner,
        stack=owner.rsplit("/", 1)[-1],
        channels=tuple(name for name, channel in (("mail", mail), ("webhook", webhook)) if channel),
        events=told(declared, possible(site)),
        pause=declared.pause.whole_seconds,
        remind=declared.remind.whole_seconds,
        virtual_ip=site.virtual_ip or "",
        mount_point=site.mirror.mount_point if site.mirror else "",
        mirror_full=declared.mirror_full,
        mirror_check=engine.mirror_check if site.mirror else "",
        mirror_resource=engine.mirror_resource if site.mirror else "",
        engine_look=engine.look,
        engine_words=engine.look_words,
        max_offset=f"{site.time.max_offset.seconds:g}" if site.time else "",
        mail_to=mail.to if mail else (),
        mail_from=mail.sender if mail else "",
        mail_url=_mail_url(mail.relay) if mail and mail.relay else "",
        mail_tls=mail.relay.tls if mail and mail.relay else "none",
        mail_user=(mail.relay.user or "") if mail and mail.relay else "",
        mail_password_file=PASSWORD if PASSWORD in secrets else "",
        webhook_url=(webhook.url or "") if webhook else "",
        webhook_url_file=URL if URL in secrets else "",
        webhook_token_file=TOKEN if TOKEN in secrets else "",
    )


def _mail_url(relay: Relay) -> str:
    bracketed = not is_host_name(relay.host) and address(relay.host).version == 6  # noqa: PLR2004
    host = f"[{relay.host}]" if bracketed else relay.host
    return f"{'smtps' if relay.tls == 'tls' else 'smtp'}://{host}:{relay.port}"


def _secrets(declared: Alerts) -> dict[str, SecretFile]:
    relay = declared.mail.relay if declared.mail else None
    webhook = declared.webhook
    found = {
        PASSWORD: relay.password if relay else None,
        URL: webhook.secret_url if webhook else None,
        TOKEN: webhook.token if webhook else None,
    }
    return {path: SecretFile(name=secret.secret, form="line") for path, secret in found.items() if secret}


def _file(content: str, mode: str) -> FileState:
    return FileState(content=content, mode=mode, owner="root:root")
