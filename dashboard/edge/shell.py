"""The HTML page that starts Streamlit, with our staleness clock added, and the policy it may run under."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import streamlit

TITLE = "Release cockpit"
ASSETS = Path(__file__).parent / "assets"
ASSET_URL = "/ops/assets"
ICON = ASSETS / "icon.svg"
"""Our own: Streamlit would fetch the image of a named icon from another host, which the policy forbids."""

_INLINE_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shell:
    """The served page: the same bytes for everybody, compressed once, and its Content-Security-Policy."""

    html: bytes
    compressed: bytes
    policy: str


def load_shell(index: Path | None = None) -> Shell:
    """Read Streamlit's index.html, add our script and style, and hash its inline scripts.

    The hash is computed from the file at start, so that an upgrade of Streamlit cannot break the policy.
    Raises ValueError where the file has no <head>, since then the staleness clock would be missing without a word.
    """
    path = index or Path(streamlit.__file__).parent / "static" / "index.html"
    source = path.read_text(encoding="utf-8")
    if "</head>" not in source:
        raise ValueError(f"{path.name} of Streamlit has no </head>: the staleness clock cannot be added.")
    ours = (
        f'<link rel="stylesheet" href="{ASSET_URL}/stale.css">\n'
        f'    <script src="{ASSET_URL}/stale.js" defer></script>\n'
        f'    <script src="{ASSET_URL}/dialog.js" defer></script>\n  </head>'
    )
    page = source.replace("</head>", ours, 1).replace("<title>Streamlit</title>", f"<title>{TITLE}</title>")
    page = page.replace('href="./favicon.png"', f'href="{ASSET_URL}/{ICON.name}"')
    html = page.encode()
    return Shell(html=html, compressed=gzip.compress(html, 9, mtime=0), policy=content_security_policy(page))


def content_security_policy(page: str) -> str:
    """The policy for pages that run Streamlit: nothing from elsewhere, no inline script but those of `page` itself."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(match['body'].encode()).digest()).decode()}'"
        for match in _INLINE_SCRIPT.finditer(page)
        if "src=" not in match["attributes"]
    )
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' {hashes}".rstrip(),
            # Streamlit's style engine writes its rules into the page at run time.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "frame-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


PLAIN_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The policy of our own small pages (sign-in): no inline anything."""
