"""What simulated nodes log, with the simulation's time."""

import asyncio
import logging
from typing import TextIO

from tests.simulation.loop import SimulatedLoop, current_life

_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


def log_to(stream: TextIO, level: str) -> None:
    """Write down everything from this level on."""
    logging.disable(logging.NOTSET)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


class _Formatter(logging.Formatter):
    """Time, process, level, message and what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        life = current_life()
        besides = {key: value for key, value in vars(record).items() if key not in _ORDINARY}
        text = f"{_now():10.4f} {life.name if life else '-':22} {record.levelname:8} {record.getMessage()} {besides}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _now() -> float:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return 0.0
    return loop.now if isinstance(loop, SimulatedLoop) else 0.0
