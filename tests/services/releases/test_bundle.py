"""Loading a release: by id, folder, script and stored bytes; every problem at once, with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from services.errors import NotUnderstood
from services.releases.bundle import Problem, Release, load_release, release_from_files, release_ids, validate
from services.releases.schema import json_schema
from tests.campaign import only_in_full

ROOT = Path(__file__).parents[3]

CHECKLIST = """\
id: small
title: A small release
risk: low
expected_minutes: 5
phases:
  - id: before
    title: Before
    steps:
      - id: look
        title: Look
        checks: [api-answers]
        expires: 15m
      - id: sign
        title: Sign
        signoff: true
        needs: [look]
"""

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """`folder(checklist=..., **{"deploy/010_a.sql": ...})` writes a release; None leaves a file out."""

    def write(checklist: str | None = CHECKLIST, **files: str | bytes | None) -> Path:
        base = tmp_path / "small"
        wanted: dict[str, str | bytes | None] = {
            "release.yaml": checklist,
            "deploy/010_a.sql": "CREATE TABLE a (id integer);\n",
            "verify/010_a.sql": "-- Proves that a is there.\nSELECT 1 WHERE to_regclass('a') IS NULL;\n",
            "rollback/010_a.sql": "DROP TABLE IF EXISTS a;\n",
            **files,
        }
        for name, content in wanted.items():
            if content is not None:
                path = base / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return base

    return write


def problems(path: Path) -> list[Problem]:
    return validate(path, ["api-answers", "openai-key"], ["rehearse", "deploy"])


def the_problem(path: Path) -> Problem:
    found = problems(path)
    assert len(found) == 1, found
    return found[0]


def test_a_folder_loads_with_its_steps_and_scripts(folder: Folder) -> None:
    release = load_release(folder())
    assert (release.id, release.title, release.risk, release.expected_minutes) == ("small", "A small release", "low", 5)
    assert [step.id for step in release.steps] == ["look", "sign"]
    assert [script.file for script in release.deploy] == ["deploy/010_a.sql"]
    assert [script.file for script in release.rollback] == ["rollback/010_a.sql"]
    assert [(query.id, query.proves) for query in release.verify] == [("010_a", "Proves that a is there.")]


@pytest.mark.parametrize(("written", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86400), ("7d", 604800)])
def test_expires_is_read_as_seconds(folder: Folder, written: str, seconds: int) -> None:
    release = load_release(folder(CHECKLIST.replace("15m", written)))
    assert release.step("look").expires_s == seconds
    assert release.step("sign").expires_s is None


def test_an_id_is_looked_up_in_the_search_path(folder: Folder) -> None:
    root = folder().parent
    assert load_release("small", root=root).folder == root / "small"
    assert release_ids(root) == ["small"]


def test_an_unknown_id_names_the_nearest(folder: Folder) -> None:
    with pytest.raises(NotUnderstood, match="There is no release 'smal'") as refused:
        load_release("smal", root=folder().parent)
    assert refused.value.do == "Did you mean 'small'?"


def test_a_plain_script_is_named_by_its_stem_and_has_neither_checklist_nor_rollback(tmp_path: Path) -> None:
    path = tmp_path / "fix_users.sql"
    path.write_text("SELECT 1;\n")
    release = load_release(path)
    assert (release.id, release.checklist, release.phases, release.rollback, release.verify) == (
        "fix_users",
        None,
        (),
        (),
        (),
    )
    assert [(script.file, script.sql) for script in release.deploy] == [("fix_users.sql", "SELECT 1;\n")]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("SELECT 1;")
    with pytest.raises(NotUnderstood, match="neither a release folder nor"):
        load_release(tmp_path / "notes.txt")


def test_a_script_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.sql").write_bytes(b"SELECT '\xff\xfe';")
    with pytest.raises(NotUnderstood, match="not UTF-8"):
        load_release(tmp_path / "odd.sql")


@pytest.mark.parametrize("name", ["odd.sql", "20260131120000_odd.sql", "small/deploy/010_a.sql"])
def test_a_zero_byte_is_refused_with_its_line_for_a_client_library_would_end_the_script_there(
    folder: Folder, tmp_path: Path, name: str
) -> None:
    folder()
    (tmp_path / name).write_bytes(b"-- one\nCREATE TABLE t (a bigint) \0 DROP TABLE t;\n")
    place = tmp_path / (name if name == "odd.sql" else "small" if "/" in name else ".")
    with pytest.raises(NotUnderstood, match="zero byte") as refused:
        load_release(place)
    assert refused.value.place == f"{name.removeprefix('small/')}:2"


def test_a_file_of_another_name_beside_migrations_is_named_as_what_is_in_the_way(tmp_path: Path) -> None:
    for name in ("20260131120000_notes.sql", "seed.sql", "2026-02-01_tags.sql"):
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(NotUnderstood) as refused:
        load_release(tmp_path)
    assert refused.value.place == "2026-02-01_tags.sql:1"
    assert "seed.sql lies beside migrations" in str(refused.value)
    assert [(one.file, one.rule) for one in problems(tmp_path)] == [
        ("2026-02-01_tags.sql", "not-a-migration"),
        ("seed.sql", "not-a-migration"),
    ]
    (tmp_path / "seed.sql").unlink()
    (tmp_path / "2026-02-01_tags.sql").unlink()
    assert len(load_release(tmp_path).migrations) == 1


def test_the_hash_changes_with_every_byte_and_every_name(folder: Folder) -> None:
    first = load_release(folder()).content_hash
    assert load_release(folder()).content_hash == first
    changed = load_release(folder(**{"rollback/010_a.sql": "DROP TABLE IF EXISTS a ;\n"})).content_hash
    added = load_release(folder(**{"deploy/020_b.sql": "SELECT 1;\n"})).content_hash
    assert len({first, changed, added}) == 3


def test_the_hash_tells_names_from_contents() -> None:
    one = Release("x", None, {"a.sql": b"b"})
    other = Release("x", None, {"a.sq": b"lb"})
    assert one.content_hash != other.content_hash


def test_files_beside_the_release_do_not_count(folder: Folder) -> None:
    first = load_release(folder()).content_hash
    assert load_release(folder(**{"README.md": "Read me.", "deploy/notes.txt": "x"})).content_hash == first


def test_a_stored_release_is_the_same_after_the_folder_was_edited(folder: Folder) -> None:
    release = load_release(folder())
    stored = dict(release.files)
    folder(**{"deploy/010_a.sql": "SELECT 'edited';\n"})
    again = release_from_files(stored)
    assert (again.id, again.content_hash, again.steps, again.deploy) == (
        release.id, release.content_hash, release.steps, release.deploy,
    )  # fmt: skip


def test_a_stored_script_is_the_same_release(tmp_path: Path) -> None:
    (tmp_path / "fix.sql").write_text("SELECT 1;\n")
    release = load_release(tmp_path / "fix.sql")
    again = release_from_files(release.files)
    assert (again.id, again.content_hash, again.deploy) == (release.id, release.content_hash, release.deploy)


def test_an_unknown_step_names_the_nearest(folder: Folder) -> None:
    with pytest.raises(NotUnderstood, match="has no step 'lok'") as refused:
        load_release(folder()).step("lok")
    assert refused.value.do == "Did you mean 'look'?"


@pytest.mark.parametrize(
    ("old", "new", "line", "rule", "said"),
    [
        ("risk: low", "risc: low", 3, "wrong-key", "Did you mean 'risk'?"),
        ("checks: [api-answers]", "check: [api-answers]", 11, "wrong-key", "Did you mean 'checks'?"),
        ("    title: Before\n", "    title: B\n    color: red\n", 8, "wrong-key", "Known here: id, title, why"),
        ("title: A small release\n", "", 1, "missing-field", "The field 'title' is missing"),
        ("        title: Look\n", "", 9, "missing-field", "The field 'title' is missing of step look"),
        ("expected_minutes: 5", "expected_minutes: soon", 4, "wrong-type", "Write a whole number"),
        ("expected_minutes: 5", "expected_minutes: '5'", 4, "wrong-type", "Write a whole number"),
        ("expected_minutes: 5", "expected_minutes: 0", 4, "wrong-value", "greater than 0"),
        ("signoff: true", "signoff: yes", 15, "wrong-type", "Write true or false"),
        ("checks: [api-answers]", "checks: api-answers", 11, "wrong-type", "Write a list"),
        ("risk: low", "risk: none", 3, "wrong-value", "Write low, medium or high"),
        ("expires: 15m", "expires: 15 minutes", 12, "wrong-value", "Write a number and a unit"),
        ("id: small", "id: Small One", 1, "wrong-value", "lower-case words"),
        ("id: sign", "id: look", 13, "duplicate-id", "the first stands in line 9"),
        ("[api-answers]", "[api-answer]", 11, "unknown-check", "Did you mean 'api-answers'?"),
        ("[api-answers]", "[nonsense]", 11, "unknown-check", "Known: api-answers, openai-key."),
        ("signoff: true", "action: deplo", 15, "unknown-action", "Did you mean 'deploy'?"),
        ("needs: [look]", "needs: [loook]", 16, "unknown-step", "Did you mean 'look'?"),
        ("        signoff: true\n", "", 13, "wrong-value", "nothing decides this step"),
        ("expires: 15m", "needs: [sign]", 12, "cycle", "look → sign → look"),
        ("needs: [look]", "needs: [sign]", 16, "cycle", "sign → sign"),
    ],
)  # fmt: skip
def test_a_wrong_checklist_is_named_with_its_line(
    folder: Folder, old: str, new: str, line: int, rule: str, said: str
) -> None:
    assert old in CHECKLIST
    changed = (
        CHECKLIST.replace(old, new)
        if rule != "duplicate-id"
        else CHECKLIST.replace(old, new).replace("needs", "links").replace("[look]", "[a]")
    )
    problem = the_problem(folder(changed))
    assert (problem.file, problem.line, problem.rule) == ("release.yaml", line, rule)
    assert said in f"{problem.message} {problem.fix}"


def test_a_ring_of_three_is_one_problem(folder: Folder) -> None:
    steps = "".join(
        f"      - {{id: {one}, title: T, signoff: true, needs: [{other}]}}\n" for one, other in ("ab", "bc", "ca", "da")
    )
    problem = the_problem(folder(CHECKLIST + steps))
    assert (problem.rule, problem.line) == ("cycle", 17)
    assert "a → b → c → a" in problem.message


def test_steps_that_share_a_need_make_no_ring(folder: Folder) -> None:
    steps = "".join(
        f"      - {{id: {one}, title: T, signoff: true, needs: [{others}]}}\n"
        for one, others in (("a", "b, c"), ("b", "d"), ("c", "d"), ("d", "look"))
    )
    assert problems(folder(CHECKLIST + steps)) == []


@only_in_full
def test_a_cycle_is_found_in_a_checklist_of_a_thousand_steps(folder: Folder) -> None:
    steps = "".join(f"      - {{id: s{n}, title: T, signoff: true, needs: [s{(n + 1) % 1100}]}}\n" for n in range(1100))
    assert the_problem(folder(CHECKLIST + steps)).rule == "cycle"


@pytest.mark.parametrize(
    ("files", "place", "rule"),
    [
        ({"release.yaml": None}, "release.yaml:1", "missing-file"),
        ({"deploy/010_a.sql": None}, "deploy:1", "empty-deploy"),
        ({"deploy/010_a.sql": " \n"}, "deploy/010_a.sql:1", "empty-file"),
        ({"deploy/010_a.sql": b"SELECT '\xff'"}, "deploy/010_a.sql:1", "not-text"),
        ({"rollback/010_a.sql": b"SELECT 1;\nSELECT '\0'"}, "rollback/010_a.sql:2", "not-text"),
        ({"verify/010_a.sql": "SELECT 1;\n"}, "verify/010_a.sql:1", "no-comment"),
        ({"verify/010_a.sql": "-- Proves a.\nSELECT 1;\n\nSELECT 2;\n"}, "verify/010_a.sql:4", "one-query"),
        ({"verify/010_a.sql": "-- Only words.\n"}, "verify/010_a.sql:1", "one-query"),
        ({"verify/010_a.sql": "-- Proves a.\nDELETE FROM a;\n"}, "verify/010_a.sql:2", "not-a-query"),
    ],
)
def test_a_wrong_file_is_named(folder: Folder, files: dict[str, str | bytes | None], place: str, rule: str) -> None:
    checklist = None if "release.yaml" in files else CHECKLIST
    files = {name: content for name, content in files.items() if name != "release.yaml"}
    problem = the_problem(folder(checklist, **files))
    assert (problem.place, problem.rule) == (place, rule)
    assert problem.fix


@pytest.mark.parametrize(
    "sql", ["WITH made AS (INSERT INTO a VALUES (1) RETURNING id) SELECT id FROM made", "VALUES (1)"]
)
def test_a_query_may_be_any_one_statement_that_returns_rows(folder: Folder, sql: str) -> None:
    assert problems(folder(**{"verify/010_a.sql": f"-- Proves a.\n{sql}\n"})) == []


def test_a_lost_file_is_noticed_where_it_is_listed(folder: Folder) -> None:
    manifest = "files:\n  deploy:\n    - 010_a.sql\n    - 020_b.sql\n"
    problem = the_problem(folder(CHECKLIST + manifest))
    assert (problem.line, problem.rule) == (20, "missing-file")
    assert "deploy/020_b.sql" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("id: small\ntitle: [\n", 3, "yaml-syntax"),
        ("id: small\nid: other\n", 2, "duplicate-key"),
        ("- a list\n", 1, "wrong-type"),
        ("", 1, "wrong-type"),
        ("title: \t'\x00'\n", 1, "yaml-syntax"),
    ],
)
def test_what_is_not_a_checklist_at_all_is_one_problem(folder: Folder, text: str, line: int, rule: str) -> None:
    problem = the_problem(folder(text))
    assert (problem.line, problem.rule) == (line, rule)


def test_all_problems_are_reported_at_once(folder: Folder) -> None:
    broken = CHECKLIST.replace("risk: low", "risc: low").replace("[api-answers]", "[api-answer]").replace("5", "five")
    found = problems(folder(broken, **{"verify/010_a.sql": "SELECT 1;\n"}))
    assert {(p.file, p.rule) for p in found} == {
        ("release.yaml", "wrong-key"),
        ("release.yaml", "wrong-type"),
        ("release.yaml", "wrong-value"),
        ("release.yaml", "unknown-check"),
        ("verify/010_a.sql", "no-comment"),
    }


def test_loading_refuses_with_the_first_place_and_every_problem(folder: Folder) -> None:
    path = folder(CHECKLIST.replace("risk: low", "risk: none"), **{"verify/010_a.sql": "SELECT 1;\n"})
    with pytest.raises(NotUnderstood) as refused:
        load_release(path)
    assert refused.value.place == "release.yaml:3"
    assert refused.value.exit_code == 64
    assert "has 2 problems" in refused.value.what
    assert "verify/010_a.sql:1" in str(refused.value)


def test_loading_refuses_unknown_checks_when_it_is_told_the_known_ones(folder: Folder) -> None:
    assert load_release(folder(), known_checks=["api-answers"]).id == "small"
    with pytest.raises(NotUnderstood, match="There is no check 'api-answers'"):
        load_release(folder(), known_checks=["other"])


def test_playbooks_and_links_are_looked_up_where_they_are_known(folder: Folder) -> None:
    path = folder(CHECKLIST.replace("expires: 15m", "playbook: openai\n        links: [railway_logs]"))
    found = validate(path, None, None, known_playbooks=["open-ai"], known_links=["railway_log"])
    assert [(p.rule, p.line, p.fix) for p in found] == [
        ("unknown-playbook", 12, "Did you mean 'open-ai'?"),
        ("unknown-link", 13, "Did you mean 'railway_log'?"),
    ]


def test_models_cannot_be_changed(folder: Folder) -> None:
    step = load_release(folder()).step("look")
    with pytest.raises(ValueError, match="frozen"):
        step.title = "Other"


def test_the_published_schema_is_up_to_date() -> None:
    published = (ROOT / "docs" / "release.schema.json").read_text()
    assert published == json_schema(), (
        "python -m services.releases.schema > docs/release.schema.json brings it up to date"
    )


def test_the_published_schema_accepts_the_release_and_refuses_a_wrong_key() -> None:
    text = (ROOT / "apps" / "pulsecheck" / "releases" / "beta-optimization" / "release.yaml").read_text()
    document = json.loads(json.dumps(YAML(typ="safe").load(text)))
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError, match="risc"):
        jsonschema.validate({**document, "risc": "low"}, schema)
