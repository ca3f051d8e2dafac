"""The parts that pages are drawn from, as functions: text, times, badges, CSV, progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.components.badges import ALIASES, STATES, inline_badge, look
from dashboard.components.plain import plain
from dashboard.components.progress import event_line, progress_of
from dashboard.components.tables import csv_text
from dashboard.components.times import age, duration_ms, expiry, span
from services.jobs.queue import JobEvent, JobState
from services.releases.run import StepState
from services.verdict import Verdict

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](b)", r"\[a\]\(b\)"),
        ("# big", r"\# big"),
        (":red[x] $1", r"\:red\[x\] \$1"),
        ("two\nlines\r\n- here", r"two lines \- here"),
        ("a\u202egnp.exe\u200b", r"agnp\.exe"),
        ("<script>", r"\<script\>"),
    ],
)
def test_markdown_in_text_from_outside_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize("address", ["https://a.example", "me@a.example", "www.a.example"])
def test_an_address_in_text_is_broken_so_that_it_makes_no_link(address: str) -> None:
    assert "\u2060" in plain(address)
    assert plain(address).replace("\u2060", "").replace("\\", "") == address


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * 600, limit=10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0.4 s"), (12, "12 s"), (190, "3 min"), (7500, "2 h 5 min"), (7200, "2 h"), (400_000, "5 days")],
)
def test_a_length_of_time_reads_as_people_say_it(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_ages_and_ends() -> None:
    assert age(NOW - timedelta(seconds=12), NOW) == "12 s ago"
    assert age(NOW + timedelta(minutes=3), NOW) == "in 3 min"
    assert age(NOW, NOW) == "just now"
    assert expiry(NOW + timedelta(minutes=8), NOW) == "counts for 8 min more"
    assert expiry(NOW - timedelta(hours=2), NOW) == "expired 2 h ago"
    assert duration_ms(640) == "640 ms"
    assert duration_ms(1800) == "1.8 s"


def test_every_state_of_the_product_has_a_look_of_its_own() -> None:
    words = {state.value for state in (*StepState, *JobState)} | {verdict.value for verdict in Verdict}
    assert all(ALIASES.get(word, word) in STATES for word in words)


def test_only_what_passed_or_is_whole_is_green() -> None:
    green = {name for name, shown in STATES.items() if shown.colour == "green"}
    assert green == {"passed", "granted", "whole", "healthy"}


def test_states_differ_by_shape_and_not_by_colour_alone() -> None:
    steps = [STATES[state.value] for state in StepState]
    assert len({shown.icon for shown in steps}) == len(steps)
    assert len({shown.word for shown in steps}) == len(steps)


def test_an_unknown_state_looks_unknown() -> None:
    assert look("half_done").icon == STATES["unknown"].icon
    assert "green" not in inline_badge("half_done")


def test_csv_holds_the_rows_and_no_formula() -> None:
    rows = [{"a": "=1+1", "b": 2}, {"a": 'say "hi", she said', "b": None}]
    assert csv_text(rows, {"a": "A", "b": "B"}) == 'A,B\r\n\'=1+1,2\r\n"say ""hi"", she said",\r\n'


def test_progress_counts_what_is_done_and_not_what_runs() -> None:
    started = JobEvent(2, NOW, "statement", {"index": 3, "of": 24, "state": "running"})
    done = JobEvent(1, NOW, "statement", {"index": 2, "of": 24, "state": "done"})
    assert progress_of([done]) == (2, 24)
    assert progress_of([done, started]) == (2, 24)
    assert progress_of([]) is None


def test_an_event_is_one_line_whatever_the_target_says() -> None:
    line = event_line(JobEvent(1, NOW, "notice", {"message": "first\nsecond", "severity": "NOTICE"}))
    assert line == "12:00:00Z  notice         first second"
