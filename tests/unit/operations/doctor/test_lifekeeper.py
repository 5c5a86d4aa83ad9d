"""What the doctor says of LifeKeeper before the first `up`: itself, its licence, how it is spoken to, what it needs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blueprint.site import things
from declaration.load import read
from declaration.site import Site
from operations import lifekeeper_quorum
from operations.doctor.checks import lifekeeper, quorum
from operations.doctor.examine import examine
from operations.doctor.model import Asked, Finding
from operations.stacks import StackTrouble
from providers.connection.command import Command, Result
from providers.connection.fake import FakeNode, fake_cluster
from providers.lifekeeper import grammar
from tests.support.sites import lab_settings, lab_site, without_mirror

Ask = Callable[..., Asked]
Given = Mapping[str, "str | tuple[str, int]"]
"""Words of a command as it is shown → what the node answers to it."""

ABSENT = ("", 127)
LICENCE = "FEATURE lklc steeleye 9\n"


def site(**section: Any) -> Site:
    settings = lab_settings(engine="lifekeeper")
    settings["lifekeeper"] |= section
    return read({**settings, "lifekeeper": {k: v for k, v in settings["lifekeeper"].items() if v is not None}}, "test")


def answered(question: Command, given: Given) -> Any:
    """What a node says on which LifeKeeper is installed and runs, its lists empty; ``given`` by words of the line."""
    line = str(question)
    for words, answer in given.items():
        if words in line:
            return answer
    if question.argv[-1] == "--help":
        name = next(each.name for each in grammar.load().commands if each.words == question.argv[1:-1] and each.words)
        return grammar.help_text(name)
    if question.argv[-1] == "--version":
        return "lkcli 9.9.0\n"
    return "there\n" if "setup" in line else "licence\n" if ".lic" in line else ""


def judged(ask: Ask, given: Given | None = None, of: Site | None = None, **more: Any) -> list[Finding]:
    """The findings where a node answers so; ``more`` as for ``ask``."""
    of = of or site()
    questions = lifekeeper.commands(of, of.nodes[0])
    asked = ask(*(answered(each, given or {}) for each in questions), of=of, **more)
    told = [replace(result, command=question) for question, result in zip(questions, asked.results, strict=True)]
    return list(lifekeeper.judge(replace(asked, results=told)))


NOT_INSTALLED: Given = {"/opt/LifeKeeper": ABSENT}
STOPPED: Given = {"lktest": ("", 1)}


def only(findings: list[Finding], level: str, *parts: str) -> Finding:
    of_level = [each for each in findings if each.level == level]
    assert len(of_level) == 1, findings
    for part in parts:
        assert part in of_level[0].sentence
    assert of_level[0].remedy or level == "ok"
    return of_level[0]


def levels(findings: list[Finding]) -> set[str]:
    return {each.level for each in findings}


def test_a_site_of_another_engine_is_asked_nothing_about_lifekeeper_though_its_file_has_the_section() -> None:
    of = lab_site()
    assert of.lifekeeper is not None
    assert list(lifekeeper.commands(of, of.nodes[0])) == []


def test_installed_licensed_and_taking_what_is_assumed_all_is_well(ask: Ask) -> None:
    found = judged(ask)
    assert levels(found) == {"ok"}
    told = "\n".join(each.sentence for each in found)
    for part in ("installed (lkcli 9.9.0), and runs", "has a licence, because it runs", "help confirms", "beside it"):
        assert part in told
    stopped = judged(ask, STOPPED)
    assert levels(stopped) == {"ok"}
    assert any("does not run yet" in each.sentence for each in stopped)


def test_a_version_that_is_not_told_is_said_to_be_unknown(ask: Ask) -> None:
    for answer in (("", 1), "", ("usage: lkcli\n", 2)):
        found = judged(ask, {"--version": answer})
        assert any("--version` does not tell which version" in each.sentence for each in found), found


def test_media_are_looked_at_where_lifekeeper_is_not_installed(ask: Ask) -> None:
    found = judged(ask, NOT_INSTALLED)
    only(found, "note", "assumed are `lkcli", "only an installed LifeKeeper")
    assert any("its setup is there: /root/sps/setup" in each.sentence for each in found)
    for said, part in (
        ("no folder\n", "there is no folder /root/sps"),
        ("no setup\n", "/root/sps has no `setup`"),
        ("not to be run\n", "/root/sps/setup cannot be run"),
        (("", 124), "nobody could tell"),
    ):
        only(judged(ask, {**NOT_INSTALLED, "look for the setup": said}), "problem", "LifeKeeper is not installed", part)


def test_media_do_not_count_where_lifekeeper_is_installed(ask: Ask) -> None:
    assert levels(judged(ask, {"look for the setup": "no folder\n"})) == {"ok"}


def test_without_media_lifekeeper_must_be_installed(ask: Ask) -> None:
    only(judged(ask, NOT_INSTALLED, site(media=None)), "problem", "not installed, and no media are declared")
    only(judged(ask, NOT_INSTALLED, site(media=None, license=None)), "problem", "no media are declared")


def test_a_masked_unit_is_in_the_way_of_a_lifekeeper_that_does_not_run(ask: Ask) -> None:
    masked = {"is-enabled": ("masked\n", 1)}
    only(judged(ask, {**STOPPED, **masked}), "problem", "lifekeeper.service is masked")
    assert levels(judged(ask, masked)) == {"ok"}
    assert levels(judged(ask, {**STOPPED, "is-enabled": ("disabled\n", 1)})) == {"ok"}


def test_lists_that_contradict_each_other_are_told_as_up_would(ask: Ask) -> None:
    path = "node2|10.0.0.1/10.0.0.2|TCP"
    found = judged(ask, {"net_list": f"{path}\n"})
    only(found, "problem", "lists contradict each other", f"`net_list` has `{path}`")
    only(judged(ask, {"ins_list": ("", 3)}), "problem", "ins_list", "exit code 3")


@pytest.mark.parametrize("there", [NOT_INSTALLED, STOPPED])
def test_the_licence_file_must_be_there_and_readable_until_lifekeeper_runs(ask: Ask, there: Given) -> None:
    lic = "evaluation.lic"
    for said, part in (
        ("absent\n", "there is no /root/sps/evaluation.lic"),
        ("no file\n", "is no file"),
        ("empty\n", "is empty"),
        ("unreadable\n", "cannot be read"),
        (("", 124), "cannot be read"),
    ):
        only(judged(ask, {**there, lic: said}), "problem", part)
    other = [each for each in judged(ask, {**there, lic: "other\n"}) if "FEATURE lklc" in each.sentence]
    assert [each.level for each in other] == ["note"]
    assert not any(each.level == "problem" for each in judged(ask, {**there, lic: "absent\n"}, ours=True))
    assert levels(judged(ask, {lic: "absent\n"})) == {"ok"}, "it runs, so it has one"


def test_a_licence_in_a_secret_must_be_set_until_lifekeeper_runs(ask: Ask) -> None:
    of = site(license={"secret": {"secret": "lklic"}})
    unset = only(judged(ask, STOPPED, of), "problem", "the secret `lklic` with the licence is not set")
    assert unset.remedy == "pulumi config set -s lab --secret lklic"
    only(judged(ask, STOPPED, of, secrets={"lklic": " \n"}), "problem", "not set")
    only(judged(ask, STOPPED, of, secrets={"lklic": "hunter2"}), "note", "no line of the secret `lklic`")
    set_ = judged(ask, STOPPED, of, secrets={"lklic": LICENCE})
    assert levels(set_) == {"ok"}
    assert not any(LICENCE.strip() in f"{each.sentence} {each.remedy}" for each in set_)
    assert levels(judged(ask, of=of)) == {"ok"}


def test_without_a_declared_licence_lifekeeper_must_have_one(ask: Ask) -> None:
    of = site(license=None)
    only(judged(ask, STOPPED, of), "note", "no licence is declared")
    only(judged(ask, NOT_INSTALLED, of), "problem", "no licence is declared", "yet to be installed")
    assert levels(judged(ask, of=of)) == {"ok"}


def test_what_is_assumed_is_held_against_the_products_own_help_though_it_does_not_run(ask: Ask) -> None:
    other = grammar.help_text("lkcli resource create ip").replace("--ipaddr", "--address")
    for more in ({}, STOPPED):
        found = judged(ask, {"create ip": other, **more})
        told = only(found, "problem", "`lkcli resource create ip`", "expected --ipaddr <ipaddr>, found --address")
        assert "grammar.yaml" in told.remedy
        assert "/opt/LifeKeeper/bin/lkcli resource create ip --help" in told.remedy
        assert not any("confirms" in each.sentence for each in found)
    only(judged(ask, {"create qsp": ("unknown subcommand\n", 2)}), "problem", "found exit code 2: unknown subcommand")


def test_the_comparison_is_that_of_up(ask: Ask) -> None:
    of = site()
    wanted: Any = next(each.inputs for each in things(of, "x/y") if each.name == "lifekeeper")
    helps = [each.argv[1:-1] for each in lifekeeper.commands(of, of.nodes[0]) if each.argv[-1] == "--help"]
    assert [f"lkcli {' '.join(words)}" for words in helps] == [*wanted.assumed, "lkcli resource delete"]


def test_the_line_that_deletes_is_compared_too_and_stands_in_the_way_of_removals_alone(ask: Ask) -> None:
    other = grammar.help_text("lkcli resource delete").replace("--tag", "--name")
    told = only(judged(ask, {"resource delete": other}), "note", "`lkcli resource delete`", "--tag", "`pulumi destroy`")
    assert "grammar.yaml" in told.remedy
    only(judged(ask, {"resource delete": ("unknown subcommand\n", 2)}), "note", "exit code 2")
    only(judged(ask, NOT_INSTALLED), "note", "only an installed LifeKeeper")


def test_what_lifekeeper_needs_beside_it_is_a_note(ask: Ask) -> None:
    only(judged(ask, {"look for killall": "killall\n"}), "note", "there is no killall")
    only(judged(ask, {"look for raid1": "nbd\n"}), "note", "no module nbd")
    plain = without_mirror(lab_settings(engine="lifekeeper") | {"timeouts": {}})
    del plain["lifekeeper"]["check_interval"]
    of = read(plain, "test")
    asked = " ".join(map(str, lifekeeper.commands(of, of.nodes[0])))
    assert "lktest" in asked
    assert "raid1" not in asked
    assert "killall" not in asked


BOOTS: Given = {"is-enabled": "enabled\n", "get-default": "multi-user.target\n"}


def test_a_lifekeeper_that_the_nodes_boot_does_not_bring_in_is_a_note(ask: Ask) -> None:
    without = {**BOOTS, "list-dependencies": "default.target\n  cron.service\n  lifekeeper-web.service\n"}
    told = only(judged(ask, without), "note", "boots to multi-user.target", "not started at boot")
    assert "set-default" in told.remedy
    assert levels(judged(ask, {**BOOTS, "list-dependencies": "default.target\n  lifekeeper.service\n"})) == {"ok"}
    assert levels(judged(ask, {**without, "is-enabled": ("disabled\n", 1)})) == {"ok"}, "`up` enables it"
    for nobody_told in ("", ("", 1), ("", 127)):
        assert levels(judged(ask, {**BOOTS, "list-dependencies": nobody_told})) == {"ok"}


def test_what_configures_networks_beside_lifekeeper_is_a_note(ask: Ask) -> None:
    only(judged(ask, {"is-active": ("inactive\nactive\n", 3)}), "note", "NetworkManager.service: configures")
    only(judged(ask, {"is-active": "active\nactive\n"}), "note", "avahi-daemon.service and NetworkManager.service")
    assert levels(judged(ask, {"is-active": ("inactive\ninactive\n", 3)})) == {"ok"}


def quorums(
    ask: Ask, said: str | tuple[str, int], settings: str | tuple[str, int] = "", *, declared: bool = True
) -> list[Finding]:
    of = site(quorum={"hosts": [{"host": "witness.lab", "port": 22}]} if declared else None)
    assert len(quorum.commands(of, of.nodes[0])) == 2
    return list(quorum.judge(ask(said, settings, of=of)))


def test_a_declared_quorum_without_its_package_is_a_problem(ask: Ask) -> None:
    only(quorums(ask, "steeleye-lk\nsteeleye-lkIP\n"), "problem", "steeleye-lkQWK is not installed", "guards nothing")
    only(quorums(ask, "steeleye-lk\nsteeleye-lkQWK\n"), "ok", "steeleye-lkQWK is installed")
    only(quorums(ask, "steeleye-lk\nsteeleye-lkqwk\n"), "ok", "steeleye-lkQWK is installed")
    only(quorums(ask, ""), "note", "nobody can tell whether steeleye-lkQWK")
    only(quorums(ask, ("", 124)), "note", "could not be asked (exit code 124)")


QWK = "steeleye-lk\nsteeleye-lkQWK\n"


@pytest.mark.parametrize("settings", ["", "QUORUM_LOSS_ACTION=fastkill\n", "QUORUM_MODE=\n"])
def test_a_package_for_the_quorum_whose_mode_nobody_sets_is_a_problem(ask: Ask, settings: str) -> None:
    told = only(quorums(ask, QWK, settings, declared=False), "problem", "`majority`", "fastkill")
    for way in ("`lifekeeper.quorum`", "`QUORUM_MODE`", "`storage`", "`none`"):
        assert way in told.remedy


def test_what_the_nodes_own_file_says_of_the_quorum_counts_where_none_is_declared(ask: Ask) -> None:
    only(quorums(ask, QWK, "QUORUM_MODE=storage\nWITNESS_MODE=storage\n", declared=False), "ok", "storage")
    only(quorums(ask, QWK, "QUORUM_MODE=none\n", declared=False), "ok", "none")
    only(quorums(ask, QWK, "QUORUM_MODE=majority\nQUORUM_LOSS_ACTION=osu\n", declared=False), "note", "witness", "osu")
    only(quorums(ask, QWK, ("", 2), declared=False), "note", "exit code 2")
    only(quorums(ask, ("", 124), declared=False), "note", "exit code 124")


@pytest.mark.parametrize("packages", ["", "steeleye-lk\nsteeleye-lkIP\n"])
def test_without_a_declared_quorum_and_its_package_there_is_nothing_to_tell(ask: Ask, packages: str) -> None:
    assert quorums(ask, packages, "QUORUM_MODE=majority\n", declared=False) == []


def test_a_site_of_another_engine_is_asked_nothing_about_lifekeepers_quorum() -> None:
    pacemaker = lab_settings()
    pacemaker["lifekeeper"]["quorum"] = {"hosts": [{"host": "witness.lab", "port": 22}]}
    other = read(pacemaker, "test")
    assert list(quorum.commands(other, other.nodes[0])) == []


def test_the_keys_of_the_quorum_are_read_from_the_nodes_own_file(tmp_path: Path) -> None:
    file = tmp_path / "LifeKeeper"
    assert run(lifekeeper_quorum._SETTINGS, str(file)) == ""
    file.write_text("LKCHECKINTERVAL=60\n")
    assert run(lifekeeper_quorum._SETTINGS, str(file)) == ""
    file.write_text("LKCHECKINTERVAL=60\nQUORUM_MODE=storage\n")
    assert run(lifekeeper_quorum._SETTINGS, str(file)) == "QUORUM_MODE=storage"


def test_lifekeepers_packages_are_those_that_dpkg_or_rpm_has_installed(tmp_path: Path) -> None:
    known = {
        "dpkg-query": "installed steeleye-lk\nconfig-files steeleye-lkqwk",
        "rpm": "steeleye-lkIP\nsteeleye-lkQWK",
    }
    for name, lines in known.items():
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
        (tmp_path / name).chmod(0o755)

    def installed() -> list[str]:
        text = f'PATH="{tmp_path}:$PATH"\n{lifekeeper_quorum._PACKAGES}'
        return run(text, lifekeeper_quorum._PREFIX).split()

    assert installed() == ["steeleye-lk", "steeleye-lkIP", "steeleye-lkQWK"]
    (tmp_path / "rpm").write_text("#!/bin/sh\nexit 1\n")
    assert installed() == ["steeleye-lk"], "what was removed but for its settings counts for nothing"


async def test_the_doctor_looks_for_the_licence_among_the_stacks_own_secrets() -> None:
    of = site(license={"secret": {"secret": "lklic"}})

    def answer(question: Command) -> str | Result:
        if question.argv[0] == "ip":
            return "[]"
        return Result(question, 127, "", "") if question.argv[0].startswith("/opt/LifeKeeper") else ""

    cluster = replace(
        fake_cluster(*(FakeNode(name, answer) for name in ("qsp-a", "qsp-b"))), secret={"lklic": LICENCE}.get
    )
    report = await examine(cluster, of, "lab")
    told = [each for each in report.findings if each.check == "lifekeeper" and "secret `lklic`" in each.sentence]
    assert [(each.where, each.level) for each in told] == [("qsp-a", "ok"), ("qsp-b", "ok")]


async def test_a_passphrase_that_is_wrong_is_a_finding_in_pulumis_words_and_hides_no_other() -> None:
    of = site(license={"secret": {"secret": "lklic"}})

    def answer(question: Command) -> str | Result:
        if question.argv[0] == "ip":
            return "[]"
        return Result(question, 1, "", "") if "lktest" in str(question) else ""

    def secret(name: str) -> str | None:
        raise StackTrouble("`pulumi config` ended with exit code 255: incorrect passphrase")

    cluster = replace(fake_cluster(*(FakeNode(name, answer) for name in ("qsp-a", "qsp-b"))), secret=secret)
    report = await examine(cluster, of, "lab")
    found = [each for each in report.findings if each.check == "lifekeeper" and each.where == "qsp-a"]
    (told,) = [each for each in found if "incorrect passphrase" in each.sentence]
    assert (told.level, "the secret `lklic`" in told.sentence) == ("problem", True)
    assert told.remedy
    assert any("LifeKeeper is installed" in each.sentence for each in found)


def run(text: str, *args: str) -> str:
    done = subprocess.run(["sh", "-c", text, "sh", *args], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_setup_is_looked_for_as_it_would_be_run(tmp_path: Path) -> None:
    media, setup = tmp_path / "sps", tmp_path / "sps/setup"
    assert run(lifekeeper._SETUP, str(setup)) == "no folder"
    media.mkdir()
    assert run(lifekeeper._SETUP, str(setup)) == "no setup"
    setup.write_text("#!/bin/sh\n")
    setup.chmod(0o644)
    assert run(lifekeeper._SETUP, str(setup)) == "not to be run"
    setup.chmod(0o755)
    assert run(lifekeeper._SETUP, str(setup)) == "there"


def test_a_licence_is_told_by_how_its_lines_begin_and_its_text_stays_on_the_node(tmp_path: Path) -> None:
    file = tmp_path / "lk.lic"

    def said() -> str:
        return run(lifekeeper._LICENCE, str(file), lifekeeper.FEATURE)

    assert said() == "absent"
    file.write_text("")
    assert said() == "empty"
    file.write_text(f"# mine\n{LICENCE}")
    assert said() == "licence"
    file.write_text("see FEATURE lklc\n")
    assert said() == "other"
    assert run(lifekeeper._LICENCE, str(tmp_path), lifekeeper.FEATURE) == "no file"


def test_programs_that_are_missing_are_named() -> None:
    assert run(lifekeeper._PROGRAMS, "sh", "no-such-program") == "no-such-program"
