"""The command line explains itself: every verb has a help that a newcomer can read, wrong usage exits with 2."""

import re

import pytest
import typer

import npcpit_imaging
from npcpit_imaging import cli

VERBS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]

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
    command = typer.main.get_command(cli.app).commands[verb]  # type: ignore[attr-defined]
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
