"""Every mistake of a long list gives one sentence with its place and key, no value, and nothing is started."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from services.settings import SettingsNotUnderstood, load_settings
from tests.services.settings.mistakes import COPIED, MISTAKES, PLANTED, TARGETS, WRONG_SECRETS, Mistake, write


def refusal(mistake: Mistake, root: Path) -> SettingsNotUnderstood:
    with pytest.raises(SettingsNotUnderstood) as caught:
        load_settings(mistake.make(root), root)
    return caught.value


def test_the_list_is_long_and_says_everything_once() -> None:
    assert len({one.id for one in MISTAKES}) == len(MISTAKES) >= 60


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.id)
def test_a_mistake_gives_one_sentence_with_its_key(mistake: Mistake, tmp_path: Path) -> None:
    refused = refusal(mistake, tmp_path)
    assert [problem.sentence for problem in refused.problems][1:] == []
    (problem,) = refused.problems
    assert problem.sentence.startswith(mistake.names[0]), problem.sentence
    assert [name for name in mistake.names if name not in problem.sentence] == [], problem.sentence
    assert problem.sentence.endswith(".")
    assert "\n" not in problem.sentence
    assert problem.wrong
    assert problem.do


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.id)
def test_no_sentence_repeats_a_value(mistake: Mistake, tmp_path: Path) -> None:
    refused = refusal(mistake, tmp_path)
    told = f"{refused} {refused!r} {refused.to_json()} {refused.problems}".lower()
    cap = mistake.id == "cap-for-nothing"  # there it stands as a key, and a key is named
    assert cap or PLANTED not in told
    assert refused.__cause__ is None
    assert refused.__suppress_context__
    assert refused.exit_code == 64


def test_mistakes_together_are_all_told(tmp_path: Path) -> None:
    """Those of one file, each for another target, all at once."""
    chosen = [
        one
        for one in (*WRONG_SECRETS, *COPIED, *TARGETS)
        if isinstance(one.toml, str) and "[targets.staging]" in one.toml
    ]
    text = "".join(str(one.toml).replace("targets.staging", f"targets.t{n}") for n, one in enumerate(chosen))
    write(tmp_path / ".streamlit" / "secrets.toml", text)
    with pytest.raises(SettingsNotUnderstood) as caught:
        load_settings({}, tmp_path)
    for number, one in enumerate(chosen):
        key = one.names[1].replace("targets.staging", f"targets.t{number}")
        assert any(key in problem.sentence for problem in caught.value.problems), one.id
    assert len(caught.value.problems) == len(chosen)


def test_two_mistakes_of_different_sources_are_both_told(tmp_path: Path) -> None:
    sources = [
        next(one for one in MISTAKES if one.id == id_) for id_ in ("json-key", "oidc-description", "armed-for-ever")
    ]
    for number, pair in enumerate(combinations(sources, 2)):
        root = tmp_path / str(number)
        environ = {name: value for one in pair for name, value in one.make(root).items()}
        with pytest.raises(SettingsNotUnderstood) as caught:
            load_settings(environ, root)
        assert len(caught.value.problems) == 2
        assert f"hold {len(pair)} problems" in caught.value.what
