"""Stack files as they are written: lines, YAML's traps, what Pulumi keeps in them, and the commands about them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from declaration import source
from declaration.cautions import cautions_in
from declaration.errors import DeclarationError, StackFileError
from declaration.load import declared_in, from_stack_file, read, refuse_misreadings
from declaration.site import Site
from operations import files, stacks
from operations.cli import validate

PROJECT = Path(__file__).parents[3]
SITE = stacks.render("site.yaml.j2", phase=3, stack="x")


def mistakes_with(old: str, new: str):
    assert old in SITE
    with pytest.raises(DeclarationError) as caught:
        read(SITE.replace(old, new), "x.yaml")
    return caught.value.mistakes


def keep_of(site: Site) -> int:
    assert site.rotation is not None
    return site.rotation.keep


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(SITE.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "path", "found", "sentence"),
    [
        ("port: 3128", "port: 03128", "squid.port", "03128", "octal"),
        ("keep: 14", "keep: 1_4", "rotation.keep", "1_4", "plain digits"),
        ("platform: debian-12", "platform: 1.10", "platform", "1.10", "in quotes"),
        ("platform: debian-12", "platform: 2024-01-01", "platform", "2024-01-01", "date"),
        ("on_full: stop", "on_full: no", "log.on_full", "no", "`stop` or `drop`"),
        ("on_full: stop", "on_full: true", "log.on_full", "true", "in quotes"),
        ("token: 3s", "token: 3", "pacemaker.token", "3", "a number alone has no unit"),
        ("token: 3s", "token:", "pacemaker.token", "nothing", "nothing is written"),
        ("token: 3s", "token: 3s\n      token: 4s", "pacemaker.token", "a second time", "once"),
        ("user: root", "<<: {user: root}", "ssh", None, "written out"),
        ("user: root", "user: {secure: AAAB}", "ssh.user", "an encrypted value", "--secret NAME"),
        ("name: proxy-a", "name: 0x10", "nodes[0].name", "0x10", "in quotes"),
        ("name: proxy-a", "name: 1e3", "nodes[0].name", "1e3", "in quotes"),
    ],
)
def test_traps_of_yaml_are_explained(old, new, path, found, sentence):
    mistake = next(m for m in mistakes_with(old, new) if m.path == path)
    assert sentence in mistake.expected
    assert found is None or (mistake.found or "").startswith(found)


def test_each_mistake_has_its_line():
    (mistake,) = mistakes_with("message_timeout: 20s", "message_timeout: 5s")
    assert mistake.line == line_of("message_timeout: 20s")


def test_what_is_missing_is_said_at_its_section():
    (mistake,) = mistakes_with("        subnet: 172.16.77.0/24\n", "")
    assert (mistake.path, mistake.line) == ("network.replication.subnet", line_of("      replication:"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("config: {}\n", "holds no site"),
        ("encryptionsalt: v1:x\n", "holds no site"),
        ("", "holds no site"),
        ("a: [1\n", "is not YAML in line"),
        ("\ta: 1\n", "is not YAML in line"),
    ],
)
def test_a_file_without_a_site_is_refused(tmp_path, text, sentence):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(text)
    with pytest.raises(StackFileError, match=sentence):
        from_stack_file(path)


FIRST = line_of("squid-ha:site:")
FRAMES = [
    ("config:\n", "configs:\n", f"there is no `config:`; perhaps it is meant by `configs:` in line {FIRST - 1}."),
    ("config:\n", "x:\n", f"there is no `config:`; perhaps it is meant by `x:` in line {FIRST - 1}."),
    ("config:\n", "encryptionsalt: v1:x\nConfg:\n", f"perhaps it is meant by `Confg:` in line {FIRST}."),
    (
        "config:\n  squid-ha:site:\n",
        "squid-ha:site:\n",
        f"`config:` is missing above `squid-ha:site:` in line {FIRST - 1},",
    ),
    ("squid-ha:site:", "squid-ha:sites:", f"perhaps it is meant by `squid-ha:sites:` in line {FIRST}."),
    ("squid-ha:site:", "squidha:site:", f"perhaps it is meant by `squidha:site:` in line {FIRST}."),
    ("squid-ha:site:", "Squid-HA:Site:", f"perhaps it is meant by `Squid-HA:Site:` in line {FIRST}."),
    ("squid-ha:site:", "squid-ha:proxy:", "`squid-ha init` writes one."),
]


@pytest.mark.parametrize(("old", "new", "sentence"), FRAMES)
def test_a_slip_around_the_site_is_one_sentence(old, new, sentence):
    assert old in SITE
    with pytest.raises(StackFileError) as caught:
        read(SITE.replace(old, new, 1), "x.yaml")
    assert caught.value.reason.startswith("holds no site: ")
    assert sentence in caught.value.reason


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("squid-ha:sitte: {}", "perhaps `squid-ha:site` is meant"),
        ("squid-ha:virtual_ip: 192.0.2.10", "`virtual_ip` is a setting of the site and belongs below `squid-ha:site:`"),
        ("squid-ha:opssudo: {secure: v1:abc}", "perhaps `squid-ha:ops-sudo` is meant"),
        ("squid-ha:other: {secure: v1:abc}", "no `{secret: other}` in the site names it; the line can go"),
        ("squid-ha:ops-sudo: {secure: v1:abc}", ""),
        ("aws:region: x", ""),
    ],
)
def test_a_key_beside_the_site_that_nothing_reads_is_a_warning(tmp_path, key, advice):
    path = tmp_path / "Pulumi.x.yaml"
    named = SITE.replace("user: root", "user: ops\n      sudo_password: {secret: ops-sudo}")
    path.write_text(f"{named}  {key}\n")
    declared = declared_in(path)
    cautions = cautions_in(declared.site, declared.document.beside)
    assert [caution.path for caution in cautions] == ([key.partition(": ")[0]] if advice else [])
    assert all(
        advice in caution.advice and caution.found.endswith(f"line {named.count(chr(10)) + 1}") for caution in cautions
    )
    assert cautions_in(declared.site, refuse_misreadings(path)) == cautions


def test_keys_beside_a_site_from_elsewhere_are_told_too(tmp_path):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text("environment: [base]\nconfig:\n  squid-ha:sitte: {}\n")
    assert refuse_misreadings(path) == {"squid-ha:sitte": 3}
    assert refuse_misreadings(tmp_path / "none.yaml") == {}


def test_each_file_is_read_as_yaml_once(tmp_path, monkeypatch, capfd):
    paths = [tmp_path / f"Pulumi.{name}.yaml" for name in ("right", "bounded")]
    for path, more in zip(paths, ("", "    drill:\n      gaps: {earthquake: 30s}\n"), strict=True):
        path.write_text(f"{SITE}{more}  squid-ha:sitte: {{}}\n")
    composed, compose = [], source.YAML.compose
    monkeypatch.setattr(source.YAML, "compose", lambda yaml, text: composed.append(text) or compose(yaml, text))
    with pytest.raises(typer.Exit):
        validate.command([str(path) for path in paths])
    told = capfd.readouterr().err
    assert "warning: squid-ha:sitte" in told
    assert "drill.gaps.earthquake" in told
    assert composed == [path.read_text() for path in paths]


def test_a_key_that_nothing_reads_is_told_by_validate(tmp_path, capfd):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(f"{SITE}  squid-ha:sitte: {{}}\n")
    validate.command([str(path)])
    assert "warning: squid-ha:sitte: a key beside the site" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("squid-kiled", "perhaps `squid-killed` is meant"), ("earthquake", "there are peer-back, "), ("squid-killed", "")],
)
def test_a_bound_of_a_scenario_that_there_is_not_is_a_mistake_to_validate(tmp_path, capfd, name, hint):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(f"{SITE}    drill:\n      gaps: {{{name}: 30s}}\n")
    if not hint:
        validate.command([str(path)])
        return
    with pytest.raises(typer.Exit) as ended:
        validate.command([str(path)])
    assert ended.value.exit_code == 1
    told = " ".join(capfd.readouterr().err.split())
    assert f"drill.gaps.{name} (line {SITE.count(chr(10)) + 2}) found: 30s expected: the name of a scenario; " in told
    assert hint in told


def both(tmp_path: Path, capfd, *changes: tuple[str, str]) -> list[str]:
    """The warnings of two stacks, of which the second one is the first with changes."""
    one, other = tmp_path / "Pulumi.one.yaml", tmp_path / "Pulumi.other.yaml"
    one.write_text(SITE)
    text = SITE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    other.write_text(text)
    validate.command([str(one), str(other), f"{tmp_path}/./Pulumi.one.yaml"], as_json=True)
    stacks_told = json.loads(capfd.readouterr().out)["stacks"]
    assert [each["valid"] for each in stacks_told] == [True] * 3
    return [
        f"{warning['path']} {warning['found']}"
        for warning in stacks_told[1]["warnings"]
        if f"the stack {one} has it too, as `" in warning["advice"]
    ]


ELSEWHERE = [("192.0.2.", "198.51.100.")]


def test_two_stacks_with_the_same_hosts_are_warned_of(tmp_path, capfd):
    assert both(tmp_path, capfd) == [
        "virtual_ip 192.0.2.10",
        "nodes[0].address 192.0.2.11",
        "nodes[1].address 192.0.2.12",
    ]
    assert both(tmp_path, capfd, *ELSEWHERE) == []


def test_a_host_of_ssh_is_the_same_whatever_its_address_is_called(tmp_path, capfd):
    reached = ("address: 198.51.100.12\n", "address: 198.51.100.12\n        ssh_host: 192.0.2.12\n")
    assert both(tmp_path, capfd, *ELSEWHERE, reached) == ["nodes[1].ssh_host 192.0.2.12"]
    other_port = ("ssh_host: 192.0.2.12\n", "ssh_host: 192.0.2.12\n        ssh_port: 2222\n")
    assert both(tmp_path, capfd, *ELSEWHERE, reached, other_port) == []


def test_the_same_addresses_behind_different_jump_hosts_are_other_hosts(tmp_path, capfd):
    assert both(tmp_path, capfd, ("user: root", "user: root\n      proxy_jump: ops@bastion.example.org")) == []


IN_CLEAR = SITE.replace("user: root", "user: ops\n      sudo_password: {secret: ops-sudo}")


@pytest.mark.parametrize("value", ["geheim", "'ops:$apr1$geheim'", "7215553", "{a: geheim}", "[geheim]"])
def test_a_secret_in_clear_is_refused_with_its_line_and_not_repeated(tmp_path, value):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(f"{IN_CLEAR}  squid-ha:ops-sudo: {value}\n")
    for reading in (from_stack_file, refuse_misreadings):
        with pytest.raises(DeclarationError) as caught:
            reading(path)
        (mistake,) = caught.value.mistakes
        assert (mistake.path, mistake.line) == ("squid-ha:ops-sudo", IN_CLEAR.count("\n") + 1)
        assert "`pulumi config set --secret squid-ha:ops-sudo -s STACK`" in mistake.expected
        assert value.strip("'") not in str(caught.value)


def test_a_secret_in_clear_is_told_with_what_else_is_wrong(tmp_path):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(IN_CLEAR.replace("port: 3128", "port: 0") + "  squid-ha:ops-sudo: geheim\n")
    with pytest.raises(DeclarationError) as caught:
        from_stack_file(path)
    assert [mistake.path for mistake in caught.value.mistakes] == ["squid.port", "squid-ha:ops-sudo"]


@pytest.mark.parametrize("key", ["squid-ha:ops-sudo: {secure: v1:abc}", "squid-ha:other: x", "aws:ops-sudo: x"])
def test_an_encrypted_secret_and_what_no_secret_names_are_accepted(tmp_path, key):
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(f"{IN_CLEAR}  {key}\n")
    from_stack_file(path)
    refuse_misreadings(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StackFileError, match="No such file"):
        from_stack_file(tmp_path / "none.yaml")


def test_an_alias_of_itself_ends():
    with pytest.raises(DeclarationError, match="alias"):
        read("nodes: &a [*a]\n", "x")


@pytest.fixture
def project(tmp_path):
    """A project of its own, without Pulumi."""
    shutil.copytree(PROJECT / "stacks" / "templates", tmp_path / "stacks" / "templates")
    shutil.copy(PROJECT / "Pulumi.yaml", tmp_path)
    return tmp_path


def test_the_lab_file_is_written_once(project):
    assert stacks.write_lab(project)
    assert not stacks.write_lab(project)
    assert from_stack_file(stacks.stack_file("lab", project)).ssh.identity == f"{project}/.lab/run/id_ed25519"


def test_the_lab_file_keeps_its_engine_until_another_is_asked_for(project):
    file = stacks.stack_file("lab", project)
    stacks.write_lab(project)
    assert from_stack_file(file).engine == "pacemaker"
    assert stacks.write_lab(project, "lifekeeper")
    assert not stacks.write_lab(project)
    assert from_stack_file(file).engine == "lifekeeper"
    file.write_text(file.read_text().replace("engine: lifekeeper", "engine: none"))
    assert stacks.write_lab(project)
    assert from_stack_file(file).engine == "pacemaker"


def test_what_is_pulumis_in_the_lab_file_stays(project):
    stacks.write_lab(project)
    path = stacks.stack_file("lab", project)
    wanted = path.read_text()
    secret = "config:\n  squid-ha:sudo:\n    secure: v1:abc\n"
    edited = "encryptionsalt: v1:salt\n" + wanted.replace("config:\n", secret).replace("keep: 14", "keep: 3")
    path.write_text(edited)
    assert stacks.write_lab(project)
    text = path.read_text()
    assert "encryptionsalt: v1:salt" in text
    assert "secure: v1:abc" in text
    assert keep_of(from_stack_file(path)) == 14
    assert not stacks.write_lab(project)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace(b"config:\n", b"config:\n\t", 1), "is not YAML in line"),
        (lambda text: b"encryptionsalt: v1:other\n" + text, "is not YAML in line 2"),
        (lambda _text: b"- encryptionsalt: v1:salt\n", "is no stack file"),
        (lambda text: text + b"# \xff\n", "cannot be read: it is not text in UTF-8"),
        (lambda text: text + b"\x07\n", "is not YAML: "),
        (lambda text: text + b"until: 2024-99-99\n", "is not YAML: month must be in 1..12"),
    ],
    ids=["a tab", "a key twice", "a list", "no text", "no character", "no date"],
)
def test_a_lab_file_that_cannot_be_read_keeps_pulumis_keys(project, edit, said, capsys, monkeypatch):
    stacks.write_lab(project)
    path = stacks.stack_file("lab", project)
    text = edit(b"encryptionsalt: v1:salt\n" + path.read_bytes())
    path.write_bytes(text)
    monkeypatch.chdir(project)
    with pytest.raises(stacks.StackTrouble, match=said):
        stacks.write_lab(project)
    assert stacks.main(["lab"]) == 1
    assert said in capsys.readouterr().err
    assert path.read_bytes() == text


def test_neither_half_a_lab_file_nor_another_writers_is_seen(project, monkeypatch):
    """A run that ends in the middle, and one that writes at the same time."""
    stacks.write_lab(project)
    path = stacks.stack_file("lab", project)
    path.with_suffix(".new").write_text("of another run")
    before = path.read_text().replace("keep: 14", "keep: 3")
    path.write_text(before)
    monkeypatch.setattr(files.os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError(28, "no space left")))
    with pytest.raises(stacks.StackTrouble, match="no space left"):
        stacks.write_lab(project)
    assert path.read_text() == before
    monkeypatch.undo()
    assert stacks.write_lab(project)
    assert path.with_suffix(".new").read_text() == "of another run"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from operations.cli import main; main()"
    environment = {"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.thorough
def test_init_then_validate(project):
    made = run("init", "lyon", "--phase", "2", "--no-stack", cwd=project)
    assert made.returncode == 0, made.stderr
    checked = run("validate", "lyon", cwd=project)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "phase 2, proxy-a and proxy-b" in checked.stdout
    again = run("init", "lyon", "--no-stack", cwd=project)
    assert again.returncode == 1
    assert "left as it is" in again.stderr


@pytest.mark.thorough
def test_init_takes_over_what_pulumi_wrote_first(project):
    path = project / "stacks" / "Pulumi.lyon.yaml"
    path.write_text("encryptionsalt: v1:abc\nconfig:\n  squid-ha:admin:\n    secure: v1:def\n")
    made = run("init", "lyon", "--no-stack", cwd=project)
    assert made.returncode == 0, made.stderr
    text = path.read_text()
    assert "encryptionsalt: v1:abc" in text
    assert "secure: v1:def" in text
    assert run("validate", "lyon", cwd=project).returncode == 0


@pytest.mark.thorough
@pytest.mark.parametrize("text", ["", "config: [", "config: {squid-ha:site: {}}\n"])
def test_init_leaves_any_other_file_alone(project, text):
    path = project / "stacks" / "Pulumi.lyon.yaml"
    path.write_text(text)
    assert run("init", "lyon", "--no-stack", cwd=project).returncode == 1
    assert path.read_text() == text


@pytest.mark.thorough
def test_validate_says_all_with_lines_and_no_traceback(project):
    path = project / "stacks" / "Pulumi.bad.yaml"
    path.write_text(SITE.replace("engine: pacemaker", "engine: [x]").replace("port: 3128", "port: 99999"))
    checked = run("validate", str(path), "bad", cwd=project)
    assert checked.returncode == 1
    assert "Traceback" not in checked.stderr
    assert checked.stderr.count(f"squid.port  (line {line_of('port: 3128')})") == 2


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "code"), [(["validate", "none"], 2), (["nonsense"], 2), (["init"], 2), (["--version"], 0)]
)
def test_exit_codes(project, arguments, code):
    assert run(*arguments, cwd=project).returncode == code


@pytest.mark.thorough
def test_a_stack_of_a_bad_name_is_not_written(project):
    assert run("init", "../x", "--no-stack", cwd=project).returncode == 2
    assert not list(project.parent.glob("Pulumi.x.yaml"))
