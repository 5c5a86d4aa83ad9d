"""`squid-ha adopt`: the stack file of a site that was built by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.cli._arguments import AsJson
from operations.cli._console import err, out, tell
from operations.cli._exit import REFUSED
from operations.project import stack_file
from operations.trouble import Misused, StackTrouble

_NODE = re.compile(r"([A-Za-z0-9.-]+)=(?:([a-z_][a-z0-9_-]*)@)?(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(?::([0-9]+))?")
_MOST = 2
SUDO_PASSWORD = "sudo-password"  # noqa: S105 a name
"""The secret by which the written file names the password for sudo."""


def parse_nodes(text: str) -> dict[str, tuple[str, str, int]]:
    """``qsp-a=ops@192.0.2.11:22,…`` as node → user, host, port. Raises `Misused`."""
    made: dict[str, tuple[str, str, int]] = {}
    for part in text.split(","):
        found = _NODE.fullmatch(part.strip())
        if found is None or found[1] in made:
            raise Misused(f"--nodes: `{part}` is none such as `qsp-a=ops@192.0.2.11`, each node once.")
        made[found[1]] = (found[2] or "root", found[3].strip("[]"), int(found[4] or 22))
    if len(made) > _MOST or len({(user, port) for user, _, port in made.values()}) > 1:
        raise Misused("--nodes: one node or two, reached as the same user and by the same port.")
    return made


def _engines() -> list[str]:
    from operations.adopt.engines import ENGINES

    return list(ENGINES)


def command(  # noqa: PLR0917 each is an option
    name: Annotated[str, typer.Argument(help="Name of the stack to write; best the name of the cluster that runs.")],
    nodes: Annotated[
        str,
        typer.Option(
            # No longer than this, or help at 80 columns has no room for the longest option.
            metavar="NODE=HOST,...",
            help="The nodes, by the names that `uname -n` prints there; HOST may be USER@HOST:PORT.",
        ),
    ],
    identity: Annotated[str, typer.Option(help="Private key; without it the agent and the usual keys.")] = "",
    known_hosts: Annotated[str, typer.Option(help="File with the host keys; without it ~/.ssh/known_hosts.")] = "",
    proxy_jump: Annotated[str, typer.Option(help="Host to go through.")] = "",
    proxy_command: Annotated[str, typer.Option(help="Command that carries the connection; %n is the node.")] = "",
    ask_sudo_password: Annotated[
        bool, typer.Option("--ask-sudo-password", help="Ask for the password that sudo asks for on the nodes.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="The engine, if it shall not be found out.", autocompletion=_engines)
    ] = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Write the file although `up` would change something.")
    ] = False,
    as_json: AsJson = False,
    stack: Annotated[bool, typer.Option("--stack/--no-stack", help="Let Pulumi know the stack too.")] = True,
) -> None:
    """Write stacks/Pulumi.NAME.yaml for nodes that were built by hand, changing nothing on them.

    What the file cannot say is listed with its place. What `pulumi up` would change nevertheless is listed too, and
    then nothing is written (exit code 5) without --anyway.
    """
    from operations.adopt.engines import ENGINES

    path = stack_file(name)
    if path.exists():
        raise StackTrouble(f"{path} exists and is left as it is; choose another name, or move it away.")
    if engine and engine not in ENGINES:
        raise Misused(f"--engine: `{engine}` cannot be adopted; {' and '.join(ENGINES)} can.")
    reached = parse_nodes(nodes)
    user, _, port = next(iter(reached.values()))
    ssh: dict[str, Any] = {"user": user, **({"port": port} if port != 22 else {})}  # noqa: PLR2004
    given = {"identity": identity, "known_hosts": known_hosts, "proxy_jump": proxy_jump, "proxy_command": proxy_command}
    ssh |= {key: value for key, value in given.items() if value}
    password = _asked(user) if ask_sudo_password else None
    ssh |= {"sudo_password": {"secret": SUDO_PASSWORD}} if password is not None else {}
    adoption = _adopt(name, reached, ssh, engine, password)
    refused = bool(adoption.changes) and not anyway
    for note in adoption.notes:
        err.print(f"not in the file: {note}", markup=False)
    for change in adoption.changes:
        err.print(f"up would change: {change}", markup=False)
    if refused:
        err.print(f"{path} was not written; --anyway writes it.", markup=False)
    else:
        with path.open("x", encoding="utf-8") as file:
            file.write(adoption.text)
    if as_json:
        notes = [{"node": each.node, "place": each.place, "what": each.what} for each in adoption.notes]
        written = None if refused else str(path)
        document = {"stack": name, "notes": notes, "would_change": adoption.changes, "written": written}
        out.document(json.dumps(document, indent=2))
    if refused:
        raise typer.Exit(REFUSED)
    _go_on(path, name, stack=stack, with_password=password is not None)


def _go_on(path: Path, name: str, *, stack: bool, with_password: bool) -> None:
    """On wish the stack that Pulumi knows; then what comes next."""
    if stack:
        from operations.stacks import ensure_stack

        ensure_stack(name)
    first = [f"pulumi stack init {name}"] if not stack else []
    first += [f"pulumi config set --secret {SUDO_PASSWORD} -s {name}"] if with_password else []
    steps = [*first, f"pulumi preview -s {name}", f"pulumi up -s {name}"]
    err.print(f"{path} written. Next: {', then '.join(f'`{each}`' for each in steps)}.", markup=False)


def _asked(user: str) -> str:
    """The password for sudo, typed and not shown. Raises `Misused` where the login is root's, who needs none."""
    if user == "root":
        raise Misused("--ask-sudo-password: the nodes are reached as root; name another user: NODE=USER@HOST.")
    return typer.prompt(f"Password of {user} for sudo", hide_input=True, err=True)


def _adopt(
    name: str, reached: dict[str, tuple[str, str, int]], ssh: dict[str, Any], engine: str, sudo_password: str | None
) -> Any:  # noqa: ANN401
    from operations.adopt import adopt
    from operations.site import PATIENCE, project
    from providers.connection.access import ConnectionSettings
    from providers.connection.loop import run_sync
    from providers.connection.pool import open_cluster

    settings = [
        ConnectionSettings(
            name=node,
            address=host,
            port=port,
            user=user,
            identity=ssh.get("identity", ""),
            known_hosts=ssh.get("known_hosts", ""),
            proxy_jump=ssh.get("proxy_jump", ""),
            proxy_command=ssh.get("proxy_command", ""),
            sudo_password=sudo_password,
            connect_budget=PATIENCE,
        )
        for node, (user, host, port) in reached.items()
    ]
    owner = f"{project()}/{name}"
    cluster = open_cluster(settings, site=name, owner=owner, progress=tell)
    ways = {node: (host, port) for node, (_, host, port) in reached.items()}
    return run_sync(adopt(cluster, name, ways, ssh, engine))
