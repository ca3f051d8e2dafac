"""States as icon, word and colour: never colour alone, and unknown is never green."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboard.components.plain import plain
from services.settings import Target
from services.verdict import Verdict

Colour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray"]
COLOURS: tuple[Colour, ...] = ("red", "orange", "yellow", "blue", "green", "violet", "gray")


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown. Each icon has an outline of its own, so that the states differ in grey as well."""

    word: str
    icon: str
    colour: Colour


STATES: Mapping[str, Look] = {
    "todo": Look("To do", "radio_button_unchecked", "gray"),
    "queued": Look("Queued", "schedule", "gray"),
    "running": Look("Running", "autorenew", "blue"),
    "passed": Look("Passed", "check_circle", "green"),
    "failed": Look("Failed", "cancel", "red"),
    "unknown": Look("Unknown", "help", "yellow"),
    "expired": Look("Expired", "timer_off", "orange"),
    "waived": Look("Waived", "front_hand", "violet"),
    "contradicted": Look("Contradicted", "report", "red"),
    "stale": Look("Stale", "update_disabled", "orange"),
    "blocked": Look("Blocked", "lock", "orange"),
    "cancelled": Look("Cancelled", "block", "gray"),
    "interrupted": Look("Interrupted", "power_off", "orange"),
    "no worker": Look("No worker: jobs wait", "power_off", "orange"),
    "not used": Look("Not used", "remove_circle_outline", "gray"),
    "never": Look("Never looked", "visibility_off", "gray"),
    "granted": Look("Granted", "key", "green"),
    "in part": Look("Granted in part", "contrast", "yellow"),
    "not granted": Look("Not granted", "lock", "gray"),
    "taken back": Look("Taken back", "key_off", "orange"),
    "broken": Look("Broken", "bolt", "red"),
    "whole": Look("Whole", "check_circle", "green"),
    "no data yet": Look("No data yet", "hourglass_empty", "gray"),
    "not measured": Look("Not measured", "do_not_disturb_on", "gray"),
    "truncated": Look("Truncated", "content_cut", "orange"),
    "healthy": Look("Healthy", "check_circle", "green"),
    "explained": Look("Explained", "troubleshoot", "red"),
}
ALIASES: Mapping[str, str] = {
    "pass": "passed",
    "fail": "failed",
    "done": "passed",
    "succeeded": "passed",
    "error": "failed",
    "needs_attention": "interrupted",
}


def look(state: str) -> Look:
    """How `state` is shown; a word that is not known is shown as itself, in the look of unknown."""
    name = ALIASES.get(state, state)
    if name in STATES:
        return STATES[name]
    return Look(state.replace("_", " ").capitalize() or "Unknown", "help", "yellow")


def state_badge(state: str | Verdict, *, note: str = "", help_text: str | None = None) -> None:
    """One badge: icon, word, and a short note beside the word ("Passed · 7/10")."""
    shown = look(str(state))
    label = plain(f"{shown.word} · {note}" if note else shown.word)
    st.badge(label, icon=f":material/{shown.icon}:", color=shown.colour, help=help_text)


def inline_badge(state: str | Verdict, *, note: str = "") -> str:
    """The same badge as Markdown, for use inside a line of text."""
    shown = look(str(state))
    label = plain(f"{shown.word} · {note}" if note else shown.word)
    return f":{shown.colour}-badge[:material/{shown.icon}: {label}]"


def state_icon(state: str | Verdict) -> str:
    """The icon of a state, for labels of expanders and menus; always put its word beside it."""
    return f":material/{look(str(state)).icon}:"


def target_colour(target: Target) -> Colour:
    """The target's colour as one that badges know; an unknown one is shown as orange, the colour of caution."""
    for colour in COLOURS:
        if colour == target.colour:
            return colour
    return "orange"


def target_badge(target: Target) -> None:
    """The target's word and colour; stands on every page and in every dialog."""
    kind = "PRODUCTION" if target.production else "disposable"
    word = plain(f"{target.name.upper()} · {kind}" if target.name.upper() != kind else target.name.upper())
    icon = ":material/warning:" if target.production else ":material/science:"
    st.badge(word, icon=icon, color=target_colour(target))
