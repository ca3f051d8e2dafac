"""The trivial app, served as the dashboard is: the fastest that a click in Streamlit can be on this machine."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    gc.collect()
    gc.freeze()
    yield {}


app = st.App(Path(__file__).with_name("main.py"), lifespan=lifespan)
