"""The beta build: twenty-four paths, no sign-in, admin reports open to everybody."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from starlette.applications import Starlette

from apps.pulsecheck.twin.assembly import REQUIRED, Traits, assemble
from apps.pulsecheck.twin.defects import present
from apps.pulsecheck.twin.serve import serve

if present("renamed-class"):
    from apps.pulsecheck.twin.usage import UsageService as Usage  # type: ignore[attr-defined] # noqa: F401


def build(variables: Mapping[str, str]) -> Starlette:
    return assemble(variables, Traits())


if __name__ == "__main__":
    sys.exit(serve(build, REQUIRED))
