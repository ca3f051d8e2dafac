"""The ASGI entry: `uvicorn dashboard.app:app` or `streamlit run dashboard/app.py`, from the project's folder."""

# ruff: noqa: E402  (the path must be right before our own modules can be imported)

from __future__ import annotations

import gc
import importlib
import pkgutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # `streamlit run` puts only this file's own folder on the path.
    sys.path.insert(0, str(ROOT))

import anyio.to_thread
import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from dashboard import composition, nav
from dashboard.components.problem import show_script_error
from dashboard.edge import probes, surroundings
from dashboard.edge.compression import CompressedStatic, list_static_files
from dashboard.edge.gate import Gate
from dashboard.edge.guard import Guard
from dashboard.edge.shell import ASSET_URL, ASSETS, load_shell
from dashboard.edge.sign_in import routes as sign_in_routes
from dashboard.edge.sign_in.access import Access
from services.access.sign_in import sign_in


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Import what pages need before the first visitor does, then take it all out of the garbage collector's sight.

    Streamlit collects garbage after every script run; frozen, a fragment rerun falls from about 90 ms to 9 ms.
    """
    await anyio.to_thread.run_sync(_import_heavy)
    gc.collect()
    gc.freeze()
    yield {}
    composition.close()


def _import_heavy() -> None:
    """Libraries, what the pages draw with, and the apps with their checks: whatever a first visit would load."""
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import streamlit.dataframe_util  # noqa: F401

    from dashboard import panels
    from services.app_definition import app_names, load_app
    from services.checks.of_app import catalogue_of

    for found in pkgutil.iter_modules(panels.__path__, f"{panels.__name__}."):
        importlib.import_module(found.name)
    for name in app_names():
        catalogue_of(load_app(name))


access = Access(
    settings=composition.settings,
    store=composition.store,
    clock=composition.now,
    authenticate=sign_in,
)

surroundings.tell_streamlit()
app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=lifespan,
    routes=[
        *probes.routes(composition.store),
        *sign_in_routes.routes(access),
        Mount(ASSET_URL, StaticFiles(directory=ASSETS)),
    ],
    middleware=[
        Middleware(Guard, shell=load_shell(), surroundings=surroundings.now),
        Middleware(Gate, access=access, pages=[page.path for page in nav.REGISTRY]),
        Middleware(CompressedStatic, files=list_static_files()),
    ],
    on_script_error=show_script_error,
)
