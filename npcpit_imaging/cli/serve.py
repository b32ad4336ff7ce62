"""The reading server and who may use it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console, study
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import STUDY, Json, StudyFolder, leave, show_result

user_app = typer.Typer(no_args_is_help=True, help="Accounts of the reading page.")
token_app = typer.Typer(no_args_is_help=True, help="Tokens of programs.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit trail.")
app.add_typer(user_app, name="user", rich_help_panel=STUDY)
app.add_typer(token_app, name="token", rich_help_panel=STUDY)
app.add_typer(audit_app, name="audit", rich_help_panel=STUDY)

Name = Annotated[str, typer.Argument(metavar="NAME", help="User name.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command(rich_help_panel=STUDY)
def serve(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="A study folder; with --demo, where to make one.")],
    host: Annotated[str | None, typer.Option(help="Listen here instead of where site.toml says.")] = None,
    port: Annotated[int | None, typer.Option(help="Listen here; 0 for any free port.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make the sample study with demo readers first.")] = False,
    sample: Annotated[Path, typer.Option(help="The sample study, for --demo.")] = Path("sample_dicom"),
    receive: Annotated[bool, typer.Option("--receive", help="Also listen for DICOM in this process.")] = False,
) -> None:
    """Serve the reading page, its API and DICOMweb; on this machine only, unless site.toml names TLS or a proxy."""
    from npcpit_imaging.server import run

    if demo:
        from npcpit_imaging.app.demo_reading import make_reading_demo

        for line in make_reading_demo(folder, sample, say=console.say):
            console.say(line)
    with study.open_study(folder) as opened:
        run.serve(opened, host=host, port=port, say=console.say, receive=receive)


@user_app.command()
def add(
    folder: StudyFolder,
    name: Name,
    role: Annotated[
        list[str], typer.Option(help="reader, adjudicator, coordinator, researcher, administrator, auditor.")
    ],
    full_name: Annotated[str, typer.Option(help="As it stands beside a signature.")] = "",
    oidc_subject: Annotated[
        str | None, typer.Option(help="Signs in with OpenID Connect alone: the provider's `sub` of this person.")
    ] = None,
    password_stdin: FromStdin = False,
) -> None:
    """Make an account; asks for its password, there is no default."""
    from npcpit_imaging.app.access import accounts

    password = "" if oidc_subject is not None else _password(password_stdin)
    with study.open_study(folder) as opened:
        accounts.add_account(
            opened,
            name,
            roles=accounts.roles_from(role),
            password=password,
            full_name=full_name,
            oidc_subject=oidc_subject,
        )
    console.say(f"made user {name} ({', '.join(sorted(accounts.roles_from(role)))})")


@user_app.command(name="list")
def list_(folder: StudyFolder, as_json: Json = False) -> None:
    """Show every account."""
    from npcpit_imaging.app.access import accounts

    with study.open_study(folder) as opened:
        found = accounts.accounts(opened)
    rows = [
        {
            "username": each.username,
            "name": each.full_name,
            "code": each.code,
            "roles": sorted(each.roles),
            "disabled": each.disabled,
            "locked": each.locked,
        }
        for each in found
    ]
    words = [f"{each.username}: {', '.join(sorted(each.roles))}{' (disabled)' * each.disabled}" for each in found]
    show_result(rows, as_json, lambda: console.lines(words))


@user_app.command(name="password")
def password_(folder: StudyFolder, name: Name, password_stdin: FromStdin = False) -> None:
    """Give an account a new password and end its sessions."""
    from npcpit_imaging.app.access import accounts

    with study.open_study(folder) as opened:
        accounts.set_password(opened, name, _password(password_stdin))
    console.say(f"user {name} has a new password and is signed out everywhere")


@user_app.command()
def disable(folder: StudyFolder, name: Name) -> None:
    """Close an account; its reads and signatures stay."""
    from npcpit_imaging.app.access import accounts

    with study.open_study(folder) as opened:
        accounts.set_disabled(opened, name, disabled=True, actor="command line")
    console.say(f"user {name} is disabled")


@user_app.command()
def enable(folder: StudyFolder, name: Name) -> None:
    """Open a closed account again, and end a lock-out."""
    from npcpit_imaging.app.access import accounts

    with study.open_study(folder) as opened:
        accounts.set_disabled(opened, name, disabled=False, actor="command line")
        accounts.unlock(opened, name, actor="command line")
    console.say(f"user {name} is open")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    return typed


@token_app.command(name="add")
def add_token(
    folder: StudyFolder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the audit trail calls the program.")],
    scope: Annotated[list[str], typer.Option(help="images, store, progress, results, audit.")],
    days: Annotated[int | None, typer.Option(min=1, help="Valid so long; else until revoked.")] = None,
) -> None:
    """Make a token for a program and print it once."""
    from npcpit_imaging.app.access import tokens

    with study.open_study(folder) as opened:
        console.say(tokens.add_token(opened, name, scope, days=days))


@token_app.command()
def revoke(folder: StudyFolder, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take a token back."""
    from npcpit_imaging.app.access import tokens

    with study.open_study(folder) as opened:
        tokens.revoke_token(opened, name)
    console.say(f"token {name} is revoked")


@audit_app.command()
def verify(folder: StudyFolder, as_json: Json = False) -> None:
    """Walk the audit trail's chain; exit code 1 when a row was changed, taken out or put in."""
    from npcpit_imaging.store.audit import verify_audit

    with study.open_study(folder) as opened, opened.database.session() as session:
        verdict = verify_audit(session)
    answer = {"whole": verdict.whole, "rows": verdict.rows, "digest": verdict.digest, "faults": list(verdict.faults)}
    words = [
        *verdict.faults,
        f"{verdict.rows} rows, {'whole' if verdict.whole else 'BROKEN'}; last digest {verdict.digest}",
    ]
    show_result(answer, as_json, lambda: console.lines(words))
    leave(well=verdict.whole)
