"""A site's hooks as resources of pulumi-command; the only module that imports it, and loaded only for hooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict

import pulumi
from pulumi_command import local, remote

from blueprint.hooks import LocalRun, RemoteRun, runs, standard_input
from declaration.hooks import Hook
from declaration.site import Site
from providers.connection.access import ConnectionSettings
from providers.connection.errors import HostError
from providers.connection.host_keys import host_key
from providers.session import connections

DIALS = 3
"""Attempts to connect, each of at most the site's `connect_timeout`."""


class Hooks(pulumi.ComponentResource):
    """All hooks of ``site``: made after everything in ``after``, and so taken away before it.

    Raises `pulumi.RunError`, before anything is contacted, where a host key, a private key or a secret is missing.
    """

    def __init__(self, site: Site, after: pulumi.Resource) -> None:
        super().__init__("squid-ha:site:Hooks", "hooks", {})
        self._after = after
        self._config = pulumi.Config()
        self._ways = _ways(site, self._config)
        self._sudo_password = site.ssh.sudo_password
        for run in runs(site):
            if isinstance(run, LocalRun):
                self._here(run)
            else:
                self._on_node(run)
        self.register_outputs({})

    def _here(self, run: LocalRun) -> None:
        hook = run.hook
        before_destroy = hook.when == "before-destroy"
        local.Command(
            run.resource,
            create=None if before_destroy else hook.command,
            delete=hook.command if before_destroy else None,
            environment=self._variables(hook),
            triggers=list(hook.triggers),
            # pulumi-command ends nothing by itself, whatever time limits Pulumi gives it.
            interpreter=["timeout", "-k", "5", str(hook.timeout.whole_seconds), "/bin/sh", "-c"],
            add_previous_output_in_env=False,
            logging=local.Logging.NONE if hook.secrets() else local.Logging.STDOUT_AND_STDERR,
            opts=self._options(secret=bool(hook.secrets())),
        )

    def _on_node(self, run: RemoteRun) -> None:
        hook = run.hook
        before_destroy = hook.when == "before-destroy"
        line = run.line if run.runs else None
        password = self._secret(self._sudo_password.secret) if hook.sudo and self._sudo_password else None
        secret = bool(hook.secrets()) or password is not None
        given = pulumi.Output.all(self._variables(hook), password).apply(lambda both: standard_input(both[0], both[1]))
        remote.Command(
            run.resource,
            connection=_connection(self._ways[run.node]),
            create=None if before_destroy else line,
            delete=line if before_destroy else None,
            stdin=pulumi.Output.secret(given) if secret else given,
            triggers=list(hook.triggers),
            add_previous_output_in_env=False,
            logging=remote.Logging.NONE if secret else remote.Logging.STDOUT_AND_STDERR,
            opts=self._options(secret=secret),
        )

    def _variables(self, hook: Hook) -> dict[str, pulumi.Input[str]]:
        return {
            name: value if isinstance(value, str) else self._secret(value.secret)
            for name, value in hook.environment.items()
        }

    def _secret(self, name: str) -> pulumi.Output[str]:
        value = self._config.get_secret(name)
        if value is None:
            way = f"pulumi config set -s {pulumi.get_stack()} --secret {name}"
            raise pulumi.RunError(f"a hook names the secret `{name}`; set it: {way}")
        return value

    def _options(self, *, secret: bool) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[self._after],
            additional_secret_outputs=["stdout", "stderr"] if secret else None,
        )


def _ways(site: Site, config: pulumi.Config) -> dict[str, ConnectionSettings]:
    """How every node is reached, those too that are away: their hooks' resources stay."""
    if not any(hook.is_remote for hook in site.hooks):
        return {}
    everybody = tuple(node.model_copy(update={"away": False}) for node in site.nodes)
    try:
        found = connections(site.model_copy(update={"nodes": everybody}), secret=config.get)
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None
    return {settings.name: settings for settings in found}


class _Way(TypedDict):
    """What pulumi-command wants to know of a host, be it the node or one on the way to it."""

    host: str
    port: int
    user: str
    private_key: pulumi.Output[str] | None
    host_key: str
    dial_error_limit: int
    per_dial_timeout: int


def _connection(settings: ConnectionSettings) -> remote.ConnectionArgs:
    jumps = [remote.ProxyConnectionArgs(**_way(jump)) for jump in settings.jumps()]
    return remote.ConnectionArgs(**_way(settings), proxy=jumps[0] if jumps else None)


def _way(settings: ConnectionSettings) -> _Way:
    return _Way(
        host=settings.address,
        port=settings.port,
        user=settings.user,
        private_key=_private_key(settings),
        host_key=_host_key(settings),
        dial_error_limit=DIALS,
        per_dial_timeout=round(settings.connect_timeout),
    )


def _host_key(settings: ConnectionSettings) -> str:
    try:
        return host_key(settings)
    except HostError as error:
        raise pulumi.RunError(str(error)) from None


def _private_key(settings: ConnectionSettings) -> pulumi.Output[str] | None:
    """The declared key, as a secret; None leaves it to the agent."""
    import asyncssh  # noqa: PLC0415 - only to see whether the key can be used

    if not settings.identity:
        if not os.environ.get("SSH_AUTH_SOCK"):
            raise pulumi.RunError("hooks on nodes need `ssh.identity` in the site, or an SSH agent (SSH_AUTH_SOCK)")
        return None
    path = Path(settings.identity).expanduser()
    try:
        text = path.read_text()
        asyncssh.import_private_key(text)
    except (OSError, ValueError) as error:
        remedy = "a key with a passphrase works through an SSH agent: leave `ssh.identity` out"
        raise pulumi.RunError(f"the key {path} cannot be used for hooks: {error}; {remedy}") from None
    return pulumi.Output.secret(text)
