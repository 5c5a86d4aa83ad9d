"""The site as Pulumi sees it, against its mocks: tree, type tokens, order."""

import pulumi
import pytest

from blueprint.site import things
from components.site import SquidSite

OWNER = "squid-ha/lab"


class Recorder(pulumi.runtime.Mocks):
    """Remembers every resource that a program registers."""

    def __init__(self) -> None:
        self.registered: dict[str, pulumi.runtime.MockResourceArgs] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs):
        self.registered[args.name] = args
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs):
        raise AssertionError(f"the program asks for {args.token}, but a site needs no function calls")


@pytest.fixture
def registered(site, event_loop_of_pulumi):
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="squid-ha", stack="lab")

    @pulumi.runtime.test
    def program():
        SquidSite("lab", things(site, OWNER), OWNER)

    program()
    return recorder.registered


def test_every_thing_becomes_a_resource_of_its_kinds_type(registered, site):
    for thing in things(site, OWNER):
        assert registered[thing.name].typ.startswith("pulumi-python:dynamic/"), thing.name
    assert registered["tree-address"].typ == "pulumi-python:dynamic/pacemaker:Member"


def test_identity_tells_project_stack_and_thing(registered):
    assert registered["mirror"].inputs["identity"] == "squid-ha/lab/mirror"


def test_the_parts_are_components(registered):
    assert registered["tree"].typ == "squid-ha:site:ServiceTree"


def test_no_input_is_unknown_at_preview(registered):
    for name, args in registered.items():
        assert not pulumi.contains_unknowns(args.inputs), f"{name} would hide its difference in a preview"
