"""How a process of ours logs: one JSON object a line, to the stream it is given."""

from __future__ import annotations

import logging
from typing import TextIO

import structlog

LARGEST_LOG_BYTES = 10_000_000


def log_to(stream: TextIO) -> None:
    """Send every structlog event of this process to `stream` as JSON; libraries speak up from `warning` on.

    Of an exception only its type and the places it passed are written: a message may repeat an address or a key.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_places),
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True)


def _places(exc_info: structlog.typing.ExcInfo) -> list[str]:
    return where(exc_info[1])


def where(error: BaseException | None) -> list[str]:
    """The type of each exception of a chain, then the places it passed, innermost last; no message, no value."""
    lines: list[str] = []
    while error is not None:
        lines.append(type(error).__name__)
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            lines.append(f"  {code.co_filename}:{trace.tb_lineno} in {code.co_name}")
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return lines
