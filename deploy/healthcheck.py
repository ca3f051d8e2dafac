"""Whether what runs in this container works, by its effects: pages that could be served, a sign of life in the store.

`python deploy/healthcheck.py [web or worker] [port]`; without a word, either will do. Exit code 0 or 1.
"""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PORT = 8501
WAIT_S = 4.0


def web_is_ready(port: int) -> bool:
    """Whether the pages' own process can read its settings and its store now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def worker_is_well() -> bool:
    """Whether a worker of this container has written a sign of life into the store within a lease."""
    from sqlalchemy import select

    from dashboard import composition
    from services.errors import OpsError
    from services.jobs.liveness import LEASE, this_host
    from services.store.tables import workers

    try:
        store = composition.store()
        with store.read() as tx:
            ours = select(workers.c.heartbeat).where(workers.c.host == this_host())
            newest = tx.execute(ours.order_by(workers.c.heartbeat.desc()).limit(1)).scalar()
        return newest is not None and store.now() - newest < LEASE
    except OpsError:
        return False


def main(words: list[str]) -> int:
    wanted = words[0] if words else "either"
    port = int(words[1]) if len(words) > 1 else PORT
    if wanted in ("web", "either") and web_is_ready(port):
        return 0
    return 0 if wanted in ("worker", "either") and worker_is_well() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
