"""The engine on the command line, without QGIS: ``python -m satdifuser_qgis.engine``.

run REQUEST.json             does what a request file asks; the result is one JSON object on stdout
    --scheduler ADDRESS      a map is computed by the workers of this Dask scheduler (docs/cluster.md)
devices                      what the engine can compute on, as JSON
compare-reference FOLDER     our arithmetic against golden vectors, as JSON

Exit codes: 0 done, 1 failed (told on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence, TextIO

from ..protocol.errors import EngineError
from .failures import explain
from .outputs import Outputs
from .worker import end_cleanly, execute, read_request, take_stdout

PROGRESS_EVERY_S = 2.0


class ConsoleReporter:
    """A `Reporter` that writes lines for people."""

    def __init__(self, stream: TextIO, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._next_line = 0.0
        self._last_message = ""

    def log(self, message: str, level: str = "info") -> None:
        """A line; debug lines only where they were asked for."""
        if level != "debug" or self._verbose:
            self._line(f"warning: {message}" if level == "warning" else message)

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """A line every two seconds, and whenever the message changes."""
        now = time.monotonic()
        if now < self._next_line and message == self._last_message:
            return
        self._next_line, self._last_message = now + PROGRESS_EVERY_S, message
        share = f"{100 * done / total:3.0f} %" if total > 0 else "    "
        count = f" ({done:g} of {total:g} {unit})" if unit else ""
        self._line(f"{share} {message}{count}")

    def metric(self, name: str, value: float) -> None:
        """A line, where details were asked for."""
        if self._verbose:
            self._line(f"{name} = {value:g}")

    @contextmanager
    def phase(self, message: str) -> Iterator[None]:
        """A line at its beginning."""
        self._line(f"      {message}")
        yield

    def check(self) -> None:
        """Nothing: Ctrl-C raises KeyboardInterrupt by itself."""

    def _line(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


def run(arguments: argparse.Namespace) -> int:
    """Does what the request file says."""
    with _answer() as answer:
        reporter = ConsoleReporter(sys.stderr, arguments.verbose)
        request = read_request(arguments.request)
        result = execute(request, reporter, Outputs(uuid.uuid4().hex[:8]), **_options(request, arguments))
        _write(answer, {"outputs": result.outputs, "values": result.values})
    return 0


def _options(request: Any, arguments: argparse.Namespace) -> dict[str, str]:
    """Raises EngineError("bad_request") where a cluster cannot do the task."""
    if not arguments.scheduler:
        return {}
    if request.TASK != "segment":
        raise EngineError(
            "bad_request",
            f'Only maps ("segment") are computed on a cluster, but the request\'s task is "{request.TASK}".',
            "Leave out --scheduler.",
        )
    return {"scheduler": arguments.scheduler}


def devices(arguments: argparse.Namespace) -> int:
    """Tells what there is to compute on."""
    from .tasks.doctor import devices as found

    with _answer() as answer:
        _write(answer, found())
    return 0


def compare_reference(arguments: argparse.Namespace) -> int:
    """Compares our arithmetic with golden vectors; 1 where an item is out of its tolerance."""
    from .compare import main as compare

    return compare(arguments.folder)


def _answer() -> TextIO:
    """The true stdout; what libraries print from now on goes to stderr."""
    return os.fdopen(take_stdout(), "w", encoding="utf-8")


def _write(answer: TextIO, content: dict[str, Any]) -> None:
    answer.write(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    end_cleanly()
    try:
        return int(arguments.function(arguments))
    except (Exception, KeyboardInterrupt) as error:
        _tell(explain(error), arguments.verbose)
        return 1


def _tell(failure: EngineError, verbose: bool) -> None:
    lines = [f"failed ({failure.code}): {failure.message}", failure.remedy]
    if verbose:
        lines.append(failure.detail)
    elif failure.code == "internal":
        lines.append("Run it again with --verbose before the command to see where.")
    sys.stderr.write("\n".join(line for line in lines if line) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m satdifuser_qgis.engine", description="The engine without QGIS.")
    parser.add_argument("--verbose", action="store_true", help="also tell details and tracebacks")
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser("run", help="do what a request file asks")
    run_command.add_argument("request", type=Path, help="JSON file with protocol, task and request, see README.md")
    run_command.add_argument("--scheduler", metavar="ADDRESS", default="", help="Dask scheduler whose workers compute")
    run_command.set_defaults(function=run)
    devices_command = commands.add_parser("devices", help="show what there is to compute on")
    devices_command.set_defaults(function=devices)
    compare_command = commands.add_parser("compare-reference", help="check the arithmetic against golden vectors")
    compare_command.add_argument("folder", type=Path, help="folder with a manifest of reference vectors")
    compare_command.set_defaults(function=compare_reference)
    return parser


if __name__ == "__main__":
    sys.exit(main())
