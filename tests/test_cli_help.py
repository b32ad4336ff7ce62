"""The command line explains itself: every verb has a help that a newcomer can read, wrong usage exits with 2."""

import re
import subprocess
import sys

import pytest
import typer

import npcpit_imaging
from npcpit_imaging import cli

VERBS = sorted(typer.main.get_command(cli.whole()).commands)  # type: ignore[attr-defined]

PROMISED = {
    "init", "receive", "import", "series", "run", "status", "export", "read", "demo",
    "volume", "suv", "register", "segment", "measure", "radiomics", "respond", "best-response", "version",
}  # fmt: skip


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_every_promised_verb_is_there_and_the_overview_lists_it(capsys):
    assert set(VERBS) >= PROMISED
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for verb in VERBS:
        assert re.search(rf"\b{verb}\b", out), verb
    assert "not a medical device" in out


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_in_a_sentence_what_it_does_and_what_each_argument_is(verb, capsys):
    code, out, err = run(capsys, verb, "--help")
    assert (code, err) == (0, "")
    command = typer.main.get_command(cli.whole()).commands[verb]  # type: ignore[attr-defined]
    sentence = (command.help or "").strip().splitlines()[0]
    assert re.fullmatch(r"[A-Z].{15,}[.;:]?", sentence), sentence
    assert " ".join(sentence.split()[:3]) in out
    for parameter in command.params:
        if parameter.name not in ("help", "json"):
            assert getattr(parameter, "help", None), f"{verb} {parameter.name} has no help"


def test_the_version(capsys):
    code, out, err = run(capsys, "version")
    assert (code, out.strip(), err) == (0, npcpit_imaging.__version__, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("measure",),
        ("measure", "a", "b", "--nonsense"),
        ("measure", "a", "b", "--label", "one"),
        ("volume", "a"),
        ("best-response", "a", "--short-sd-rule", "mine"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_prints_nothing_on_stdout(arguments, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Usage" in err


def test_no_verb_at_all_shows_the_help(capsys):
    code, out, err = run(capsys)
    assert code == 2
    assert "Usage" in out + err


def test_each_verb_is_in_the_file_where_the_table_says_so_and_none_is_missing():
    cli.whole()
    found = {
        (each.name or each.callback.__name__, each.callback.__module__.rpartition(".")[2])
        for each in cli.app.registered_commands
        if each.callback is not None
    }
    groups = {(each.name, "serve") for each in cli.app.registered_groups}
    assert found | groups == {(verb, file) for file, verbs in cli.FILES.items() for verb in verbs}


def test_a_verb_starts_without_the_libraries_of_others():
    """Responses from a table need no database, no images and no figures, whose imports take seconds."""
    code = (
        "import sys; from npcpit_imaging.cli import run; run(['respond', '--help']);"
        "print(sorted({'SimpleITK', 'matplotlib', 'pandas', 'pydicom', 'scipy', 'sqlalchemy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.splitlines()[-1] == "[]"
