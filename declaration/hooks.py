"""Hooks: a site's own commands, run by pulumi-command after a deployment or before a destruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError

from declaration.quantities import Duration
from declaration.types import (
    RESERVED_NAMES,
    Many,
    Secret,
    Settings,
    Text,
    Told,
    is_host_name,
    matching,
    quoting_hint,
    refuse_control,
    section,
    written,
    wrong,
)

ACTIVE = "active"
LOCAL = "local"
_PLACES = (ACTIVE, LOCAL)
_WHERE = f"`{ACTIVE}`, `{LOCAL}` or the name of a node"
_BY_NAME = "`{secret: NAME}` with the name of a key set by `pulumi config set --secret NAME`, such as `hook-token`"
_SECTION = "a section of variables, such as `{GREETING: 'hello', TOKEN: {secret: hook-token}}`"
_VALUE = f"text in quotes, or {_BY_NAME}"


def _where(text: str) -> str:
    if text not in _PLACES and (text.lower() in RESERVED_NAMES or not is_host_name(text)):
        raise ValueError(text)
    return text


def _value(value: object) -> str | Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, Mapping):
        try:
            return Secret.model_validate(dict(cast("Mapping[object, object]", value)))
        except ValidationError:
            raise wrong(_BY_NAME) from None
    if not isinstance(value, str):
        raise wrong(f"{_VALUE}{quoting_hint(value)}")
    return refuse_control(value)


HookName = Annotated[
    str,
    written(
        "a name of small letters, digits and hyphens, such as `tell-monitoring`",
        matching(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"),
    ),
]
Where = Annotated[str, written(_WHERE, _where)]
VariableName = Annotated[
    str,
    written(
        "the name of an environment variable, such as `GREETING` (letters, digits, `_`)",
        matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}"),
    ),
]
Value = Annotated[
    str | Secret,
    PlainValidator(_value, json_schema_input_type=str | Secret),
    PlainSerializer(lambda value: value if isinstance(value, str) else value.model_dump(), return_type=Any),
    Told(_VALUE),
]


class Hook(Settings):
    """One command of the site's own. A command that fails fails the deployment, or the destruction."""

    name: HookName
    """What the hook is called in Pulumi's output and state."""

    when: Literal["after-deploy", "before-destroy"]
    """`after-deploy`: once everything else is true, and again when something about the hook changes.
    `before-destroy`: before anything is taken away, and also when the hook is taken out of the site."""

    where: Where
    """`active`: on the node that holds the virtual IP at that moment. `local`: where Pulumi runs. Or a node's name."""

    command: Text
    """Line for the shell `sh`; on a node as the user of `ssh`."""

    sudo: bool = False
    """On a node: run as root through sudo, as everything else there is done."""

    triggers: Many[Text] = ()
    """Texts of the site's own, such as a version: when one of them changes, the command runs again."""

    environment: Annotated[dict[VariableName, Value], section(_SECTION)] = Field(default_factory=dict)
    """Variables for the command; secrets by name, which never appear in a command line."""

    timeout: Duration = Duration("10m")
    """Whole seconds after which the command is ended and has failed."""

    def secrets(self) -> dict[str, str]:
        """Variables that hold secrets, with the secrets' names."""
        return {name: value.secret for name, value in self.environment.items() if isinstance(value, Secret)}

    @property
    def is_remote(self) -> bool:
        """Whether it runs on a node."""
        return self.where != LOCAL
