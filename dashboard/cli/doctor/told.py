"""What doctor tells beside problems: things to know that make nothing fail."""

from __future__ import annotations

from services.errors import OpsError


class Notice(OpsError):
    """Something to know, or something that could not be seen; by itself it does not make doctor end with a failure."""

    exit_code = 0
