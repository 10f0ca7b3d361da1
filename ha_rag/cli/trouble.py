"""Turns errors into messages and exit codes, for all commands."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import ParamSpec

import typer

from ha_rag.disk_space import FULL, no_space
from ha_rag.errors import ConfigurationError, HaRagError
from ha_rag.extras import missing_extra, require
from ha_rag.harmless import harmless

P = ParamSpec("P")
FAILED = 1
ASKED_WRONGLY = 2
INTERRUPTED = 130


class CommandError(HaRagError):
    """A command could not do what it was asked."""


class UnansweredError(CommandError):
    """A request was sent and no answer came in time: it may have been carried out."""


def honest(command: Callable[P, None], *extras: str) -> Callable[P, None]:
    """`command`, with errors printed on standard error and turned into exit codes. It needs these `extras`."""
    name = f"`{command.__name__.rstrip('_')}`"

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            require(name, *extras)
            command(*args, **kwargs)
            sys.stdout.flush()  # at exit, a full disk behind it would be a traceback
        except KeyboardInterrupt:
            say("stopped")
            raise typer.Exit(INTERRUPTED) from None
        except ConfigurationError as error:
            _say_all(error.problems)
            raise typer.Exit(ASKED_WRONGLY) from None
        except HaRagError as error:
            say(str(error))
            raise typer.Exit(FAILED) from None
        except BrokenPipeError:
            _let_the_reader_go()
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except OSError as error:
            say(_of_the_system(error))
            _discard_output(error)
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and (missing := missing_extra(name, error)):
                say(str(missing))
                raise typer.Exit(FAILED) from None
            say(f"internal error: {type(error).__name__}: {error}; {_kept(error)}")
            raise typer.Exit(FAILED) from None

    return told


def _of_the_system(error: OSError) -> str:
    if error.errno in FULL:
        return no_space(error.filename or "what is written to, such as the output")
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _discard_output(error: OSError) -> None:
    if error.errno in FULL:
        _let_the_reader_go()  # what could not be written would be tried again at exit


def _say_all(problems: tuple[str, ...]) -> None:
    for problem in problems:
        say(problem)


def say(sentence: str) -> None:
    """Prints one line on standard error, prefixed with the program's name."""
    typer.echo(f"ha-rag: {harmless(sentence)}", err=True)


def _kept(error: Exception) -> str:
    """Writes the traceback of an unexpected error to a file; it helps the maintainers, not the user."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="ha-rag-", suffix=".txt", delete=False, encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    except OSError as unwritable:
        return f"please report it (its traceback could not be written: {unwritable.strerror})"
    return f"please report it with what is in {file.name}"


def _let_the_reader_go() -> None:
    # The reader has closed the pipe, as `head` does, or the disk is full; Python would complain again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
