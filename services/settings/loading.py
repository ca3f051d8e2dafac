"""Reads the settings from all their sources; tells every problem at once, before anything is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from services.settings.model import Oidc, Person, ProbeAccount, ProbeCap, QuickSignIn, Settings, Target
from services.settings.our_rules import check_ours
from services.settings.problems import Collected, SettingsNotUnderstood, understood
from services.settings.sources import SecretsFile, Source, TargetFiles, Variables
from services.settings.target_rules import check_targets
from services.settings.variable_names import mistyped
from services.settings.written import Written

DEFAULT_HOME = ".ops"

_KEYS: Mapping[str, Sequence[str]] = {
    "settings": [*Settings.model_fields, "target"],
    "target": list(Target.model_fields),
    "people": list(Person.model_fields),
    "quick_sign_in": list(QuickSignIn.model_fields),
    "probe_accounts": list(ProbeAccount.model_fields),
    "probe_caps": list(ProbeCap.model_fields),
    "oidc": list(Oidc.model_fields),
}


def load_settings(environ: Mapping[str, str], root: File) -> Settings:
    """Read settings; later sources win: target files in <home>/targets, .streamlit/secrets.toml, the environment.

    environ: OPS_HOME, OPS_STORE_URL, OPS_TARGET, OPS_TARGETS__<NAME>__<KEY> ...: docs/settings.md has all
    root:    the folder that holds .streamlit/ and a relative OPS_HOME
    Raises SettingsNotUnderstood with every problem at once, each with its place and without its value.
    """
    home = (root / (environ.get("OPS_HOME") or DEFAULT_HOME)).resolve()
    variables = Variables(environ)
    sources: tuple[Source, ...] = (TargetFiles(home), SecretsFile(root / ".streamlit" / "secrets.toml"), variables)
    written = Written(sources)
    collected = Collected()
    check_ours(written, collected, home)
    check_targets(written, collected)
    values = {**written.values, "home": home, "origins": written.origins()}
    values.setdefault("store_url", f"sqlite:///{home / 'store.sqlite3'}")
    settings = _typed(values, collected)
    problems = [problem for source in sources for problem in source.problems]
    problems += mistyped(environ)
    problems += [written.problem(path, wrong, do) for path, wrong, do in collected]
    if problems or settings is None:
        raise SettingsNotUnderstood(problems) from None
    return settings


def _typed(values: dict[str, Any], collected: Collected) -> Settings | None:
    named = {
        name: {"name": name, **target} if isinstance(target, dict) else target for name, target in _targets(values)
    }
    try:
        return Settings(**{**values, **({"targets": named} if named else {})})
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            collected.add(tuple(one["loc"]), *understood(one, _KEYS))
    return None


def _targets(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    found = values.get("targets")
    if isinstance(found, dict):
        yield from found.items()
