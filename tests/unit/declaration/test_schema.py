"""The schema of stack files says of every declaration what the declaration says, as far as a schema can see.

`conftest.py` holds both against each other for every declaration that any test of this folder reads.
"""

import copy
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from declaration.errors import DeclarationError
from declaration.load import read
from operations.stacks import render
from setup.docs.schema import examples_in, published, stack_schema
from setup.docs.settings import settings
from setup.docs.tree import site_tree
from tests.support.editor import checker, complaints, visible
from tests.unit.declaration.conftest import SITES, put

PROJECT = Path(__file__).parents[3]
EXAMPLES = sorted((PROJECT / "docs/examples").glob("*.yaml"))
SITE = published(site_tree())


def test_it_is_a_schema_of_draft_7():
    Draft7Validator.check_schema(stack_schema())
    assert "$defs" not in json.dumps(stack_schema())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_of_the_documentation_pass(file: Path):
    assert list(checker().iter_errors(yaml.safe_load(file.read_text()))) == []


def test_what_pulumi_keeps_in_a_stack_file_passes():
    document = yaml.safe_load(render("site.yaml.j2", phase=3, stack="x"))
    document |= {"encryptionsalt": "v1:x", "secretsprovider": "passphrase", "encryptedkey": "k", "environment": ["a"]}
    document["config"] |= {"squid-ha:ops-sudo": {"secure": "v1:abc"}, "aws:region": "x", "squid-ha:list": [1, {"a": 2}]}
    assert list(checker().iter_errors(document)) == []


@pytest.mark.parametrize("document", [{}, {"config": {}}, {"config": {"squid-ha:site": []}}, [], {"config": None}])
def test_a_file_without_a_site_is_marked(document):
    assert list(checker().iter_errors(document))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=3,
)
NEAR = st.sampled_from(
    [example for each in settings().values() for example in examples_in(str(each.node.get("x-expected", "")))]
    + [each.node["default"] for each in settings().values() if "default" in each.node]
    + [word for each in settings().values() for word in each.node.get("enum", [])]
)


@given(st.sampled_from([path for path in settings() if "[]" not in path]), VALUES | NEAR, st.sampled_from([1, 2, 3]))
def test_any_value_anywhere(path: str, value: object, phase: int):
    """What conftest.py compares, on what no table has."""
    site = copy.deepcopy(SITES[phase])
    try:
        put(site, path, value)
    except (TypeError, AttributeError):
        return  # inside of what is not written, such as `firewall: unmanaged`
    try:
        read(site, "test")
    except DeclarationError:
        return
    assert complaints(site) == []


def test_the_comparison_sees_something(site):
    put(site, "squid.port", "3128")
    assert visible(site)
    assert any("squid.port" in complaint for complaint in complaints(site))


def test_every_default_and_example_fits_its_own_setting():
    for path, setting in settings().items():
        node = published(setting.node)
        given = [node["default"]] if "default" in node else []
        for value in [*given, *node.get("examples", [])]:
            assert list(Draft7Validator(node).iter_errors(value)) == [], f"{path}: {value}"


def test_every_setting_says_what_it_is_for():
    assert [path for path, setting in settings().items() if not setting.node.get("description")] == []


def _patterns(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_patterns, node))
    if not isinstance(node, dict):
        return set()
    own = {value for key, value in node.items() if key == "pattern" and isinstance(value, str)}
    return own.union(node.get("patternProperties", {}), *map(_patterns, node.values()))


def test_patterns_are_read_alike_by_editors():
    """They are JavaScript, in Unicode mode, where a backslash before a plain character is refused."""
    patterns = _patterns(SITE)
    assert len(patterns) > 10
    for pattern in patterns:
        assert not re.search(r"\\[^.()\[\]{}*+?|^$/\\]|\(\?[^:]", pattern), pattern


@pytest.mark.parametrize("template", ["site.yaml.j2", "lab.yaml.j2"])
def test_written_files_name_the_schema(template):
    text = render(template, phase=3, stack="x", lab="/lab")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=./schema.json"
    assert (PROJECT / "stacks/schema.json").exists()


def test_vs_code_knows_the_schema_for_the_files_that_are_there():
    schemas = json.loads((PROJECT / ".vscode/settings.json").read_text())["yaml.schemas"]
    assert [(PROJECT / path).resolve() for path in schemas] == [PROJECT / "stacks/schema.json"]
    named = ["stacks/Pulumi.lyon.yaml", *(str(file.relative_to(PROJECT)) for file in EXAMPLES)]
    patterns = [pattern for each in schemas.values() for pattern in each]
    assert [name for name in named if not any(Path(name).match(pattern) for pattern in patterns)] == []
    kept = subprocess.run(["git", "check-ignore", "-q", ".vscode/settings.json"], cwd=PROJECT, check=False)
    assert kept.returncode == 1
