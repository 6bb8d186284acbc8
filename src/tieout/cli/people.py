"""The commands about people: users, tokens and signing in."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tieout.cli import printing
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.core.findings import counted
from tieout.core.policy import ROLES, SCOPES
from tieout.verbs.words import moment

TOKEN_DAYS_USUAL = 90


def days(function: Any) -> Any:
    """`--days`: how long a token lives."""
    return click.option(
        "--days", default=TOKEN_DAYS_USUAL, show_default=True, help="How long the token lives."
    )(function)


@cli.group()
def users() -> None:
    """Who may act on this instance."""


@users.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help="A role; give several times for several.",
)
@days
@with_json
@needs
def add_user(context: Context, name: str, roles: tuple[str, ...], days: int) -> None:
    """Add user NAME and print a token for them, once. The first user must be an admin."""
    from tieout.verbs import people

    result = people.add_user(context.opened(), name, roles, days)
    context.show(result, lambda: _added(result))


@users.command("list")
@with_json
@needs
def list_users(context: Context) -> None:
    """List the users, their roles and their tokens."""
    from tieout.verbs import people

    found = people.users(context.opened())
    context.show({"ok": True, "users": found}, lambda: _users(found))


@users.command("roles")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help="A role; several times for several. These replace the ones before.",
)
@with_json
@needs
def set_roles(context: Context, name: str, roles: tuple[str, ...]) -> None:
    """Give user NAME other roles."""
    from tieout.verbs import people

    result = people.set_roles(context.opened(), name, roles)
    told = f"{name} is {', '.join(result['user']['roles'])} from now on."
    context.show(result, lambda: click.echo(told))


@users.command("close")
@click.argument("name")
@with_json
@needs
def close_user(context: Context, name: str) -> None:
    """Let NAME leave: sessions end, tokens and password act for nobody; what they did stays."""
    from tieout.verbs import people

    result = people.close(context.opened(), name)
    context.show(result, lambda: click.echo(f"{name} acts here no more."))


@users.command("review")
@click.option("--note", default="", metavar="TEXT", help="What was found, in words.")
@with_json
@needs
def review(context: Context, note: str) -> None:
    """Sign that you have looked at who may what; the trail keeps it with the list."""
    from tieout.verbs import people

    result = people.review(context.opened(), note)
    told = f"{result['by']} has reviewed {counted(result['users'], 'user')}."
    context.show(result, lambda: click.echo(told))


@users.command("password")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from stdin; else one is drawn.")
@with_json
@needs
def set_password(context: Context, name: str, from_stdin: bool) -> None:
    """Set the password with which NAME signs in at the page; their sessions end.

    Set by an administrator for another, it is temporary: the page asks for a new one first.
    """
    from tieout.verbs import signing_in

    instance = context.opened()
    given = sys.stdin.readline().rstrip("\r\n") if from_stdin else ""
    password = signing_in.set_password(instance, name, given)
    result = {"ok": True, "user": name, "password": None if from_stdin else password}

    def show() -> None:
        if not from_stdin:
            click.echo(password)
        printing.note(
            f"That is set for {name}." + ("" if from_stdin else " It is shown this once.")
        )

    context.show(result, show)


@users.command("bind")
@click.argument("name")
@click.argument("subject")
@with_json
@needs
def bind(context: Context, name: str, subject: str) -> None:
    """Say that user NAME is SUBJECT at the issuer of [sign_in], who then signs in there."""
    from tieout.verbs import elsewhere

    elsewhere.bind(context.opened(), name, subject)
    result = {"ok": True, "user": name, "subject": subject}
    context.show(result, lambda: click.echo(f"{name} is {subject} there."))


@users.command("sign-in-secret")
@with_json
@needs
def sign_in_secret(context: Context) -> None:
    """Seal the client secret of [sign_in], read from standard input; nothing prints it again."""
    from tieout.verbs import elsewhere

    name = elsewhere.keep_secret(context.opened(), sys.stdin.read().strip())
    context.show({"ok": True, "secret": name}, lambda: click.echo(f"Sealed as secret://{name}."))


@cli.group()
def tokens() -> None:
    """What commands on other machines, and other programs, act with."""


@tokens.command("create")
@click.option("--user", metavar="NAME", help="For this user instead of yourself (admin).")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it may do; several times for several. Default: all its user may.",
)
@click.option("--for", "what_for", default="", metavar="TEXT", help="What it is for, in words.")
@days
@with_json
@needs
def create_token(
    context: Context, user: str | None, scopes: tuple[str, ...], what_for: str, days: int
) -> None:
    """Make a token and print it, once."""
    from tieout.verbs import people

    result = people.make_token(
        context.opened(), user=user, scopes=scopes, days=days, what_for=what_for
    )
    context.show(result, lambda: _made(result))


@tokens.command("revoke")
@click.argument("token_id", metavar="TOKEN")
@with_json
@needs
def revoke_token(context: Context, token_id: str) -> None:
    """Let the token with the id TOKEN act for nobody from now on."""
    from tieout.verbs import people

    result = people.revoke_token(context.opened(), token_id)
    told = f"Token {token_id} of {result['token']['user']} acts for nobody any more."
    context.show(result, lambda: click.echo(told))


@cli.command()
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the token from stdin.")
@click.option("--forget", is_flag=True, help="Take the kept sign-in away.")
@with_json
@needs
def login(context: Context, from_stdin: bool, forget: bool) -> None:
    """Keep a token, sealed, in this instance's directory: commands here act as its user."""
    from tieout.verbs import people

    instance = context.opened()
    if forget:
        gone = people.logout(instance)
        told = "The kept sign-in is gone." if gone else "Nobody was signed in here."
        context.show({"ok": True, "forgotten": gone}, lambda: click.echo(told))
        return
    text = sys.stdin.read() if from_stdin else click.prompt("Token", hide_input=True, err=True)
    result = people.login(instance, text)
    context.show(result, lambda: _signed_in(result))


def _added(result: Mapping[str, Any]) -> None:
    user = result["user"]
    printing.note(f"Added {user['name']} ({', '.join(user['roles'])}).")
    _made(result)


def _made(result: Mapping[str, Any]) -> None:
    token = result["token"]
    click.echo(result["secret"])
    printing.note(
        f"That is token {token['id']} of {token['user']}, until {moment(token['expires_at'])}. "
        "It is shown this once. Hand it over in secret: whoever has it acts as them."
    )


def _signed_in(result: Mapping[str, Any]) -> None:
    until = moment(result["token"]["expires_at"])
    told = f"Commands here act as {result['user']} ({', '.join(result['roles'])}) until {until}."
    click.echo(told)


def _users(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        click.echo("There are no users: the owner of this directory acts.")
        printing.following("tieout users add NAME --role admin")
        return
    rows = [
        (u["name"], "left" if u["closed_at"] else ", ".join(u["roles"]), u["added_by"],
         moment(u["added_at"]), moment(u["last_sign_in"]) if u["last_sign_in"] else "never")
        for u in found
    ]  # fmt: skip
    printing.table(("user", "roles", "added by", "at", "last sign-in"), rows)
    living = [t for u in found for t in u["tokens"] if t["lives"]]
    if living:
        click.echo("\nTokens that act now")
        told = [
            (t["id"], t["user"], ", ".join(t["scopes"]), moment(t["expires_at"]),
             moment(t["used_at"]) if t["used_at"] else "never", t["what_for"])
            for t in living
        ]  # fmt: skip
        printing.table(("token", "user", "scopes", "until", "last used", "for"), told)
