"""The sign-in page as HTML: small, without scripts of its own but one, so that it opens when all else is down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from dashboard.edge.shell import ASSET_URL, TITLE
from services.settings import Target

COLOURS = frozenset({"red", "orange", "yellow", "green", "blue", "violet", "gray"})


@dataclass(frozen=True, slots=True)
class Offer:
    """The ways of signing in that are shown. quick: name and role of each quick account; oidc: the provider's title;
    founder: the name of who made the target, where this browser is theirs; others: the other targets."""

    quick: tuple[tuple[str, str], ...] = ()
    password: bool = True
    oidc: str | None = None
    founder: str | None = None
    waits_for_founder: bool = False
    others: tuple[str, ...] = ()


def sign_in_page(
    target: Target, offer: Offer, *, after: str, problem: Iterable[str] = (), email: str = "", part: str = ""
) -> str:
    """The page that asks who you are on `target`.

    after: the path to go on to; problem: sentences of what failed; part: the way that stands open because of it
    """
    parts = [
        f'<p class="target target-{_colour(target.colour)}">{escape(target.name.upper())}'
        f"{' · production' if target.production else ' · disposable'}</p>",
        f"<h1>Sign in to {escape(target.name)}</h1>",
        _problem(problem),
        _quick(target, offer, after),
        _founder(target, offer, after),
        _oidc(target, offer, after),
        _password(target, offer, after, email, part),
        _nothing(target, offer),
        _recovery(target, after, is_open=part == "recovery"),
    ]
    if offer.others:
        links = " · ".join(f'<a href="{escape(_address(name))}">{escape(name)}</a>' for name in offer.others)
        parts.append(f'<p class="note">Other targets: {links}</p>')
    return document("Sign in", "\n".join(part for part in parts if part), script="sign-in.js")


def _form(action: str, target: Target, after: str, body: str) -> str:
    return (
        f'<form method="post" action="{action}"><input type="hidden" name="target" value="{escape(target.name)}">'
        f'<input type="hidden" name="next" value="{escape(after)}">{body}</form>'
    )


def _quick(target: Target, offer: Offer, after: str) -> str:
    if not offer.quick:
        return ""
    buttons = "".join(
        f'<button name="account" value="{escape(name)}" class="quick">Continue as {escape(name)}'
        f"{_role_note(name, role)}</button>"
        for name, role in offer.quick
    )
    return (
        _form("/auth/sign-in", target, after, f'<div class="quick-list">{buttons}</div>')
        + '<p class="note">Accounts of a disposable target; no password needed.</p>'
    )


def _founder(target: Target, offer: Offer, after: str) -> str:
    if offer.founder is None:
        return ""
    button = f'<button class="quick">Continue as {escape(offer.founder)}, who made this target</button>'
    return (
        _form("/auth/founder", target, after, button)
        + '<p class="note">Only until a sign-in is configured for this target.</p>'
    )


def _oidc(target: Target, offer: Offer, after: str) -> str:
    if offer.oidc is None:
        return ""
    address = f"/auth/oidc/start?target={quote(target.name)}&next={quote(after)}"
    return f'<a class="button quick" href="{escape(address)}">Continue with {escape(offer.oidc)}</a>'


def _password(target: Target, offer: Offer, after: str, email: str, part: str) -> str:
    if not offer.password:
        return ""
    fields = (
        '<label for="email">E-mail</label>'
        f'<input id="email" name="email" type="email" autocomplete="username" required value="{escape(email)}">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required>'
        '<button class="plain">Sign in</button>'
    )
    alone = not offer.quick and offer.oidc is None and part != "recovery"
    return _details(
        "Sign in with e-mail and password",
        _form("/auth/sign-in", target, after, fields),
        is_open=alone or part == "password",
    )


def _nothing(target: Target, offer: Offer) -> str:
    if offer.quick or offer.password or offer.oidc is not None or offer.founder is not None:
        return ""
    founder = (
        " Whoever made this target goes on from here once signed in to the target from which it was made."
        if offer.waits_for_founder
        else ""
    )
    return (
        f"<p>No sign-in is configured for {escape(target.name)}: its settings name no Supabase Auth project and no "
        f"provider of single sign-on.{founder}</p>"
    )


def _recovery(target: Target, after: str, *, is_open: bool) -> str:
    fields = (
        '<label for="code">Recovery code</label>'
        '<input id="code" name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required '
        'maxlength="60" placeholder="XXXXX-XXXXX-XXXXX-XXXXX-XXXXX">'
        '<button class="plain">Use the code</button>'
        '<p class="note">Good once; operator for 60 minutes. Everybody on this target is told.</p>'
    )
    return _details("Use a recovery code", _form("/auth/recovery", target, after, fields), is_open=is_open)


def _details(summary: str, body: str, *, is_open: bool) -> str:
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>{body}</details>"


def go_on_page(target: str, after: str) -> str:
    """The page after a sign-in elsewhere; it goes on at once, by itself."""
    body = (
        f"<h1>Signed in to {escape(target)}</h1>"
        f'<p class="note">Going on. If nothing happens: <a href="{escape(after)}">go on</a>.</p>'
    )
    return document("Signed in", body, retry_s=0, go_to=after)


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


def document(
    title: str, body: str, *, script: str | None = None, retry_s: int | None = None, go_to: str | None = None
) -> str:
    """A whole HTML document around `body`, which must be escaped already.

    retry_s: load it again after so long; go_to: or this path of ours
    """
    place = f";url={escape(go_to)}" if go_to is not None else ""
    retry = f'<meta http-equiv="refresh" content="{retry_s}{place}">' if retry_s is not None else ""
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
