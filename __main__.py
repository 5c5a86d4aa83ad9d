"""The program that Pulumi runs: read the site, build the cluster, export what operators need."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import is_config_secret

from blueprint.outputs import outputs
from blueprint.site import things
from components.site import SquidSite
from declaration.cautions import cautions_in
from declaration.errors import DeclarationError
from declaration.load import read, refuse_misreadings

SITE = f"{pulumi.get_project()}:site"


def main() -> None:
    """Declare the site of the selected stack; a wrong declaration ends here, before any host is contacted."""
    stack = pulumi.get_stack()
    try:
        declared = pulumi.Config().require_object("site")
        file = f"stacks/Pulumi.{stack}.yaml"
        site = read(declared, source=file, encrypted=is_config_secret(SITE))
        beside = refuse_misreadings(Path(file))
    except DeclarationError as error:
        raise pulumi.RunError(str(error)) from None
    for caution in cautions_in(site, beside):
        pulumi.log.warn(str(caution))
    owner = f"{pulumi.get_project()}/{stack}"
    deployed = SquidSite(stack, things(site, owner), owner)
    if site.hooks:
        # Loads pulumi-command and asks for its plugin, which a site without hooks does not need.
        from components.hooks import Hooks  # noqa: PLC0415

        Hooks(site, after=deployed)
    for name, value in outputs(site).items():
        pulumi.export(name, value)


main()
