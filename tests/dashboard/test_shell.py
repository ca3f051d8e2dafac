"""The page shell, the policy and the small pages of our own, as functions."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from dashboard import composition
from dashboard.edge.compression import list_static_files
from dashboard.edge.shell import ASSETS, content_security_policy, load_shell
from dashboard.edge.sign_in.access import local_path
from dashboard.edge.sign_in.pages import Offer, go_on_page, problem_page, sign_in_page, sign_out_page
from services.settings import Target


def test_the_policy_allows_the_inline_script_of_the_page_by_its_hash_and_no_other() -> None:
    page = "<head><script>one()</script><script src='x.js'></script></head>"
    expected = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    assert re.findall(r"'sha256-([^']+)'", content_security_policy(page)) == [expected]


def test_a_page_without_a_head_is_refused_and_not_served_without_the_clock(tmp_path: Path) -> None:
    index = tmp_path / "index.html"
    index.write_text("<html><body></body></html>", encoding="utf-8")
    with pytest.raises(ValueError, match="staleness clock"):
        load_shell(index)


def test_the_shell_brings_the_clock_and_the_focus_script() -> None:
    html = load_shell().html.decode()
    scripts = re.findall(r'src="/ops/assets/([a-z-]+\.js)"', html)
    assert scripts == ["stale.js", "dialog.js"]
    assert all((ASSETS / name).is_file() for name in scripts)
    assert "<title>Release cockpit</title>" in html


EVERY_WAY = Offer(quick=(("Ada", "admin"),), oidc="Example ID", founder="Bo", waits_for_founder=True, others=("other",))


def test_our_own_pages_hold_nothing_inline() -> None:
    target = Target(name="t")
    pages = [
        sign_in_page(target, EVERY_WAY, after="/x"),
        go_on_page("t", "/x?step=before-1&run=y"),
        sign_out_page("t", "Ada"),
        problem_page("What.", "Means.", "Do."),
    ]
    for page in pages:
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert " style=" not in page
        assert not re.search(r"\son[a-z]+=", page)


def test_names_on_our_own_pages_are_text() -> None:
    target = Target(name='<img src=x onerror="1">')
    nasty = Offer(quick=(('"><b>', '"><b>'),), oidc='"><b>', founder='"><b>', others=('"><b>',))
    page = sign_in_page(target, nasty, after='"><i>', problem=("<u>",), email="<s>")
    assert not any(tag in page for tag in ("<img", "<b>", "<i>", "<u>", "<s>"))
    assert "<i>" not in go_on_page('"><i>', '/"><i>')
    assert "<em>" not in sign_out_page("t", "<em>")


@pytest.mark.parametrize("path", ["/", "/checklist?step=before-1&run=x", "/war-room"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [None, "", "checklist", "//e.example", "/\\e.example", "https://e.example", "/a\r\nSet-Cookie: x", "/auth/sign-in"],
)
def test_any_other_path_leads_home(path: str | None) -> None:
    assert local_path(path) == "/"


def test_only_files_of_streamlits_own_static_folder_are_compressed(tmp_path: Path) -> None:
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "a.js").write_text("x", encoding="utf-8")
    (tmp_path / "static" / "font.woff2").write_bytes(b"x")
    (tmp_path / "index.html").write_text("x", encoding="utf-8")
    assert list(list_static_files(tmp_path)) == ["/static/js/a.js"]


def test_the_committed_settings_are_the_secure_ones() -> None:
    config = tomllib.loads((composition.ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["client"]["showErrorDetails"] == "none"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"].get("enableCORS", True)
    assert config["server"].get("enableXsrfProtection", True)
    assert config["runner"]["magicEnabled"] is False
    assert set(config["theme"]) >= {"light", "dark"}
