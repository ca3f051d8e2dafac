"""Opens a page as a browser does, over the web process's WebSocket, and keeps every byte that comes."""

from __future__ import annotations

from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol


def read_page(address: str, cookie: str, page: str, query: str, within_s: float = 20) -> bytes:
    """All messages until the page's script has finished. page: "" is the first one; cookie: "name=value"."""
    asked = BackMsg()
    asked.rerun_script.query_string = query
    asked.rerun_script.page_name = page
    came: list[bytes] = []
    with connect(
        f"ws://{urlsplit(address).netloc}/_stcore/stream",
        origin=address,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
        open_timeout=within_s,
    ) as socket:
        socket.send(asked.SerializeToString())
        while True:
            message = socket.recv(timeout=within_s)
            assert isinstance(message, bytes)
            came.append(message)
            told = ForwardMsg()
            told.ParseFromString(message)
            if told.WhichOneof("type") == "script_finished":
                return b"".join(came)
