"""The shape of a real answer: what the beta build makes of the AI's words and an entry's levels."""

from __future__ import annotations

from typing import Any

from apps.pulsecheck.twin.rest import Row


def real_pulse(entry: Row, text: str, took_ms: int, tokens: int) -> dict[str, Any]:
    """The answer as this build gives it. `insight` stays null: the real one never fills it."""
    mood = entry["mood_level"]
    return {
        "message": text,
        "insight": None,
        "suggested_actions": _actions(entry),
        "follow_up_question": f"What would move your mood from {mood} to {min(10, mood + 1)}?",
        "response_time_ms": took_ms,
        "confidence_score": confidence_of(tokens),
    }


def confidence_of(tokens: int) -> float:
    """The confidence (0 to 1) that the build reports about an answer of so many tokens; longer seems surer to it."""
    return round(min(0.97, 0.72 + tokens / 400), 3)


def _actions(entry: Row) -> list[str]:
    actions = []
    if entry["stress_level"] >= 6:
        actions.append("Name the one thing that presses most and put the rest on a list")
    if entry["energy_level"] <= 4:
        actions.append("Plan an early night")
    if entry["mood_level"] <= 4:
        actions.append("Call somebody you like")
    return actions or ["Keep the habit that made today work"]


def analysis(entry: Row, pulse: dict[str, Any]) -> dict[str, Any]:
    """Scores from the entry's levels (0 to 10, higher is better) around the AI's words."""
    mood, energy, stress = entry["mood_level"], entry["energy_level"], entry["stress_level"]
    wellness = round((mood + energy + (11 - stress)) / 3, 1)
    risk = "high" if wellness < 4 else "moderate" if wellness < 6.5 else "low"
    return {
        "insights": [pulse["message"]],
        "overall_wellness_score": wellness,
        "burnout_risk_level": risk,
        "mood_pattern": _pattern(mood),
        "energy_pattern": _pattern(energy),
        "stress_pattern": _pattern(stress),
        "immediate_actions": pulse["suggested_actions"],
        "long_term_suggestions": [f"Watch your stress of {stress} over the next week"],
        "pulse_message": pulse["message"],
        "pulse_question": pulse["follow_up_question"],
        "confidence_score": pulse["confidence_score"],
    }


def _pattern(level: int) -> str:
    return "low" if level <= 3 else "high" if level >= 8 else "medium"
