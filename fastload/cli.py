"""The ``fastload`` command: parsing, running, exit codes, and errors without credentials."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from fastload.command_hints import for_command_line
from fastload.errors import ConfigError, FastloadError, VerificationError
from fastload.tasks import primary_error
from fastload.url import redacted
from fastload.wording import visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

DONE, FAILED, USAGE, DIFFERENT, REJECTED, INTERRUPTED = 0, 1, 2, 3, 4, 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_THEN = {
    "write": "; where that was at the very end, the rows are there: look before you append again",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 done, 1 failed, 2 usage, 3 verification found differences, 4 done but for rejected rows,
    5 nothing differs and not all could be compared, 130 interrupted.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        # This, and the interpreter on its way out, would die of one more signal.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        print(f"interrupted{_THEN.get(tokens[0] if tokens else '', '')}", file=sys.stderr)
        return INTERRUPTED
    return code


def _run(tokens: list[str]) -> int:
    missing = [m for m in ("cyclopts", "rich") if importlib.util.find_spec(m) is None]
    if missing:
        print(
            f"the fastload command needs {' and '.join(missing)}: pip install 'fastload[cli]'",
            file=sys.stderr,
        )
        return USAGE
    from cyclopts import CycloptsError

    from fastload.commands import app

    try:
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        print(f"{redacted(str(error))}\n  hint: {_help(tokens)}", file=sys.stderr)
        return USAGE
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _finished(command, bound)
    except Exception as error:
        return _failed(primary_error(error), tokens)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Say a warning without the place in the code that it comes from."""
    print(f"warning: {visible_lines(redacted(str(message)))}", file=sys.stderr)


def _finished(command: Callable[..., Any], bound: inspect.BoundArguments) -> int:
    if not inspect.iscoroutinefunction(command):
        return command(*bound.args, **bound.kwargs) or DONE
    return run_loop(command(*bound.args, **bound.kwargs)) or DONE


def run_loop(main_coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine under uvloop, where installed.

    The first interrupt or SIGTERM cancels it, so that its transactions end; a second one ends
    the process on the spot, and the servers roll back.

    Raises:
        KeyboardInterrupt: It was cancelled by a signal.
    """
    guarded = _cancelled_by_signals(main_coroutine)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(guarded)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        # One that was interrupted before it began would be complained about.
        guarded.close()
        main_coroutine.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not importlib.util.find_spec("uvloop"):
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _cancelled_by_signals(main_coroutine: Coroutine[Any, Any, Any]) -> Any:
    loop, task, seen = asyncio.get_running_loop(), asyncio.current_task(), [0]
    assert task is not None

    loop.set_exception_handler(_complain)

    def force(*_: object) -> NoReturn:
        # Nothing is flushed: another thread may hold the stream, or its reader may have gone.
        with suppress(OSError):
            os.write(2, b"ended at once; the servers roll back what was not committed\n")
        os._exit(INTERRUPTED)

    def interrupt() -> None:
        seen[0] += 1
        if seen[0] > 1:
            force()
        task.cancel()

    # A shell that starts jobs in the background, or nohup, has them ignore what they ignore.
    numbers = [n for n in _SIGNALS if signal.getsignal(n) != signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, interrupt)
    try:
        return await main_coroutine
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            if seen[0]:  # what is left of the way out can still be cut short
                signal.signal(number, force)


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Where a server ends TLS while bytes of ours wait, uvloop (0.22) closes the socket and then
    # still writes to it. Who uses the connection is told of its end in any case.
    if context.get("message") != "Fatal error on SSL protocol" or "handler is closed" not in str(
        context.get("exception")
    ):
        loop.default_exception_handler(context)


def _failed(error: BaseException, tokens: list[str]) -> int:
    if isinstance(error, FastloadError) and error.hint:
        error.hint = for_command_line(error.hint)
    if "--debug" in tokens:
        print(redacted("".join(traceback.format_exception(error))), end="", file=sys.stderr)
    if "--json" in tokens:
        print(_as_json(error))
    elif isinstance(error, FastloadError):
        print(f"{error.code}: {redacted(str(error))}", file=sys.stderr)
    elif isinstance(error, BrokenPipeError):
        raise error
    elif isinstance(error, OSError):
        print(f"error: {visible_lines(redacted(str(error)))}", file=sys.stderr)
    else:
        print(
            f"unexpected {type(error).__name__}: {visible_lines(redacted(str(error)))}\n"
            "  hint: this is a bug in fastload; --debug shows where it happened",
            file=sys.stderr,
        )
    if isinstance(error, VerificationError):
        return DIFFERENT
    return USAGE if isinstance(error, ConfigError) else FAILED


def _as_json(error: BaseException) -> str:
    import orjson

    told = {"code": "unexpected", "message": redacted(str(error))}
    if isinstance(error, FastloadError):
        names = ("code", "message", "side", "table", "column", "partition", "key", "hint")
        told = {n: getattr(error, n) for n in names if getattr(error, n) is not None}
    if isinstance(error, VerificationError):
        told |= {n: getattr(error, n).to_dict() for n in ("copied", "result")}
        told = {n: redacted(v) if isinstance(v, str) else v for n, v in told.items()}
    return orjson.dumps({"error": told}).decode()


def _help(tokens: list[str]) -> str:
    from fastload.commands import app

    known = tokens[:1] if tokens[:1] and tokens[0] in app else []
    return " ".join(["fastload", *known, "--help"]) + " lists what there is"
