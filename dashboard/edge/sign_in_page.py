"""The sign-in page as HTML: small, without scripts of its own but one, so that it opens when all else is down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from dashboard.edge.shell import ASSET_URL, TITLE
from services.settings import Target

COLOURS = frozenset({"red", "orange", "yellow", "green", "blue", "violet", "gray"})


def sign_in_page(
    target: Target, others: Sequence[str], *, after: str, problem: Iterable[str] = (), email: str = ""
) -> str:
    """The page that asks who you are on `target`. after: the path to go on to; problem: sentences of what failed."""
    quick = "".join(
        f'<button name="account" value="{escape(account.name)}" class="quick">Continue as {escape(account.name)}'
        f"{_role_note(account.name, account.role)}</button>"
        for account in target.quick_sign_in
    )
    form_start = (
        f'<form method="post" action="/auth/sign-in"><input type="hidden" name="target" value="{escape(target.name)}">'
        f'<input type="hidden" name="next" value="{escape(after)}">'
    )
    parts = [
        f'<p class="target target-{_colour(target.colour)}">{escape(target.name.upper())}'
        f"{' · production' if target.production else ' · disposable'}</p>",
        f"<h1>Sign in to {escape(target.name)}</h1>",
        _problem(problem),
    ]
    if quick:
        parts.append(
            f'{form_start}<div class="quick-list">{quick}</div></form>'
            '<p class="note">Accounts of a disposable target; no password needed.</p>'
        )
    parts.append(
        f"<details{'' if quick and not email else ' open'}>"
        f"<summary>Sign in with e-mail and password</summary>{form_start}"
        '<label for="email">E-mail</label>'
        f'<input id="email" name="email" type="email" autocomplete="username" required value="{escape(email)}">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required>'
        '<button class="plain">Sign in</button></form></details>'
    )
    if others:
        links = " · ".join(f'<a href="{escape(_address(name))}">{escape(name)}</a>' for name in others)
        parts.append(f'<p class="note">Other targets: {links}</p>')
    return document("Sign in", "\n".join(parts), script="sign-in.js")


def sign_out_page(target: str, name: str) -> str:
    """The page that asks before a session ends; a plain link must not be able to end one."""
    return document(
        "Sign out",
        f"<h1>Sign out of {escape(target)}?</h1><p>You are signed in as {escape(name)}. "
        "Jobs that run go on without you.</p>"
        f'<form method="post" action="/auth/sign-out"><input type="hidden" name="target" value="{escape(target)}">'
        '<button class="plain">Sign out</button></form><p class="note"><a href="/">Back to the dashboard</a></p>',
    )


def problem_page(what: str, means: str, do: str) -> str:
    """A page for an error that leaves nothing else to show; it asks again by itself, since some things only start."""
    body = f'<h1>Cannot go on</h1>{_problem([what, means, do])}<p class="note">This page tries again every 3 s.</p>'
    return document("Cannot go on", body, retry_s=3)


def document(title: str, body: str, *, script: str | None = None, retry_s: int | None = None) -> str:
    """A whole HTML document around `body`, which must be escaped already. retry_s: load it again after so long."""
    retry = f'<meta http-equiv="refresh" content="{retry_s}">' if retry_s else ""
    tag = f'<script src="{ASSET_URL}/{script}" defer></script>' if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">{retry}'
        f'<title>{escape(title)} · {TITLE}</title><link rel="icon" href="{ASSET_URL}/icon.svg">'
        f'<link rel="stylesheet" href="{ASSET_URL}/plain.css">{tag}</head>'
        f'<body><main><p class="product">{TITLE}</p>{body}</main></body></html>\n'
    )


def _problem(sentences: Iterable[str]) -> str:
    texts = [escape(sentence) for sentence in sentences if sentence]
    return f'<div class="problem" role="alert"><strong>{texts[0]}</strong> {" ".join(texts[1:])}</div>' if texts else ""


def _colour(name: str) -> str:
    return name if name in COLOURS else "gray"


def _address(target: str) -> str:
    return f"/auth/sign-in?target={quote(target)}&next={quote(f'/?target={quote(target)}')}"


def _role_note(name: str, role: str) -> str:
    return "" if name.lower() == role.lower() else f' <span class="role">{escape(role)}</span>'
