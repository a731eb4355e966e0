"""Makes this process keep its secrets: what it logs, prints, raises and stores is redacted by value.

Called first by whatever starts a process of the stack. Where the seams are: every log record when it is made, the
standard streams, uncaught exceptions, the texts of our errors, and every value that goes to a database.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import fields
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from trade_pipeline import redaction
from trade_pipeline.errors import SettingsError
from trade_pipeline.redaction import Redactor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets, secrets_from
from trade_pipeline.settings.tokens import reader_token

HOME_VARIABLE = "TRADE_PIPELINE_HOME"


def secret_values(secrets: Secrets) -> set[str]:
    """What must not be shown: keys and tokens whole, of URLs the password."""
    values = {getattr(secrets, field.name) for field in fields(secrets) if not field.name.endswith("_url")}
    values.add(reader_token(secrets.ui_token) if secrets.ui_token else "")
    for url in (secrets.ledger_url, secrets.broker_url):
        password = urlsplit(url).password
        values |= {password, unquote(password)} if password else set()
    return values - {""}


def protect_process(secrets: Secrets, *, streams: bool = True, databases: bool = True) -> None:
    """From now on this process redacts `secrets`, and what it redacted before.

    `streams=False` leaves stdout and stderr alone: for commands whose very answer is a secret, as `env`.
    `databases=False` saves the import of SQLAlchemy where the process has none.
    """
    redaction.use(Redactor(redaction.current().secrets | secret_values(secrets)))
    _protect_logging()
    _protect_exceptions()
    if databases:
        _protect_databases()
    if streams:
        sys.stdout = _redacting(sys.stdout)
        sys.stderr = _redacting(sys.stderr)


def protect_from_environment(environ: Mapping[str, str] | None = None, *, databases: bool = True) -> None:
    """For processes that others start: by the home that the environment names; without one nothing is done."""
    found = os.environ if environ is None else environ
    home = found.get(HOME_VARIABLE)
    if home:
        try:
            secrets = secrets_from(found, Home.at(home))
        except SettingsError:
            secrets = secrets_from(found, None)
        protect_process(secrets, databases=databases)


def _protect_logging() -> None:
    made = logging.getLogRecordFactory()
    if getattr(made, "redacts", False):
        return

    def make(*arguments: Any, **named: Any) -> logging.LogRecord:
        return _cleaned(made(*arguments, **named))

    make.redacts = True  # type: ignore[attr-defined]  # a mark on our own function
    logging.setLogRecordFactory(make)


def _cleaned(record: logging.LogRecord) -> logging.LogRecord:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # a wrong format is the handler's to report
        return record
    clean = redaction.redacted(message)
    if clean != message:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        clean = redaction.redacted(text)
        if clean != text:
            # A handler formats the exception itself unless it finds the text.
            record.exc_info, record.exc_text = None, clean
    return record


def _protect_exceptions() -> None:
    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(redaction.redacted("".join(traceback.format_exception(kind, error, trace))))

    def report_of_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_type is not SystemExit and arguments.exc_value is not None:
            report(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    sys.excepthook = report
    threading.excepthook = report_of_thread


def _protect_databases() -> None:
    """Whatever writes through SQLAlchemy in this process, Dagster's storage included."""
    from sqlalchemy import Engine, event

    if not event.contains(Engine, "before_cursor_execute", _clean_parameters):
        event.listen(Engine, "before_cursor_execute", _clean_parameters, retval=True)


def _clean_parameters(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    return statement, redaction.current().value(parameters)


class RedactingStream(io.TextIOBase):
    """A text stream before another: whole lines are redacted; a part of one waits for its rest or a flush."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        with self._lock:
            whole, newline, rest = (self._waiting + text).rpartition("\n")
            self._waiting = rest
            if newline:
                self._stream.write(redaction.redacted(whole + newline))
        return len(text)

    def flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, ""
            if waiting:
                self._stream.write(redaction.redacted(waiting))
            self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base has a class attribute
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # the base has a class attribute
        return self._stream.errors

    @property
    def buffer(self) -> Any:
        return self._stream.buffer


def _redacting(stream: TextIO) -> TextIO:
    """`stream` itself where it redacts already, or where something else stands in for it."""
    if isinstance(stream, RedactingStream) or not isinstance(stream, io.TextIOBase):
        return stream
    found: Any = RedactingStream(stream)
    return found  # type: ignore[no-any-return]  # a TextIO in all but name
