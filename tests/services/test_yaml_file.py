"""A YAML file is what it says now, and what a reader does with it is the reader's own affair."""

from __future__ import annotations

from pathlib import Path

from services.yaml_file import read_yaml


def test_what_one_reader_changes_no_other_sees(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("of: [1, 2]\n")
    read_yaml(file)["of"].append(3)
    assert read_yaml(file) == {"of": [1, 2]}


def test_a_file_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("of: 1\n")
    read_yaml(file)
    file.write_text("of: 2\n")
    assert read_yaml(file) == {"of": 2}
