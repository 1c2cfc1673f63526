"""Structured logs on stderr, and the logging specification that operators know from Fabric.

A line carries time, level, logger, message and the fields given as `extra`: channel, block, txid. Never a key, a
secret or a private value. A specification names levels, `info` or `info:services.orderer,grpc=debug`, and can be
changed while the process runs.
"""

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from services.runtime.metrics import Registry

# Fabric's level names (flogging); panic and fatal share Python's highest.
LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}
_FABRIC_NAMES = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "panic"}
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@dataclass(frozen=True, slots=True)
class LogSpec:
    """A default level, and levels for single loggers and everything below them."""

    default: int
    loggers: tuple[tuple[str, int], ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `[logger[,logger…]=]level[:…]` (flogging ActivateSpec). Raises ValueError."""
        default = logging.INFO
        loggers: list[tuple[str, int]] = []
        for field in text.split(":"):
            names, equals, level = field.rpartition("=")
            if level.lower() not in LEVELS or (equals and not all(names.split(","))):
                raise ValueError(f"invalid logging specification '{text}': bad segment '{field}'")
            if equals:
                loggers += [(name, LEVELS[level.lower()]) for name in names.split(",")]
            else:
                default = LEVELS[level.lower()]
        return cls(default, tuple(loggers), text)


class Logs:
    """The process' logging: one stream, one specification in force."""

    def __init__(self, spec: LogSpec, *, as_json: bool, registry: Registry) -> None:
        self._handler = logging.StreamHandler(sys.stderr)
        self._handler.setFormatter(_JsonFormatter() if as_json else _ConsoleFormatter())
        written = registry.counter("logging_entries_written", "Number of log entries that are written", ["level"])
        # What is below its logger's level is dropped before it gets here, and is in neither figure.
        checked = registry.counter("logging_entries_checked", "Number of log entries checked", ["level"])

        def count(record: logging.LogRecord) -> bool:
            level = _FABRIC_NAMES.get(record.levelno, "info")
            checked.of(level).inc()
            written.of(level).inc()
            return True

        self._handler.addFilter(count)
        root = logging.getLogger()
        for old in list(root.handlers):
            root.removeHandler(old)
        root.addHandler(self._handler)
        self.spec = spec
        self.activate(spec)

    def activate(self, spec: LogSpec) -> None:
        """Put another specification in force."""
        for name, _ in self.spec.loggers:
            logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger().setLevel(spec.default)
        for name, level in spec.loggers:
            logging.getLogger(name).setLevel(level)
        self.spec = spec


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _ORDINARY}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "ts": _time(record),
            "level": _FABRIC_NAMES.get(record.levelno, "info"),
            "logger": record.name,
            "msg": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class _ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = _FABRIC_NAMES.get(record.levelno, "info").upper()
        # One entry is one line, whatever a caller put into a channel's or a transaction's name.
        fields = "".join(f" {key}={value!s}" for key, value in _fields(record).items())
        line = f"{_time(record)} {level:5} [{record.name}] {record.getMessage()}{fields}"
        line = line.replace("\r", "\\r").replace("\n", "\\n")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
