"""The event stream of a worker: one JSON object a line, each with the run's id.

==========  =====================================================================
started     version, python, prefix, pid
alive       phase (text, optional): sent every 2 s by a thread
progress    done, total, unit, message
log         level ("info", "warning", "debug"), message
metric      name, value
finished    outputs (name to path), values (name to number or text)
failed      code (see `errors.CODES`), message, remedy, detail
==========  =====================================================================
A ``phase`` says that a step is under way that cannot tell how far it is (drawing polygons, writing the final file).
While it lasts, being alive is all the progress there is.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Optional

KINDS = ("started", "alive", "progress", "log", "metric", "finished", "failed")
TERMINAL = ("finished", "failed")
ALIVE_EVERY_S = 2.0
SILENCE_LIMIT_S = 10.0
STALL_LIMIT_S = 600.0
CANCEL_GRACE_S = 2.0
MAX_LINE_BYTES = 1_000_000
CANCEL_FILE = "cancel"
# Some C libraries hold Python's lock for minutes (GDAL's polygons and burning by rasterio), and no thread of Python
# can say `alive` then. Python's own watchdog needs no lock: after this time it writes to stderr where the program
# is, in lines of which the first begins so. The reader takes that for `alive`.
BUSY_EVERY_S = 4.0
BUSY_MARK = "Timeout ("


def encode(kind: str, run_id: str, **fields: Any) -> bytes:
    """One line, UTF-8, ending in a newline. Numbers that JSON cannot hold (NaN) are a ValueError."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no event; the events are {', '.join(KINDS)}")
    line = json.dumps({"event": kind, "id": run_id, **fields}, ensure_ascii=False, allow_nan=False)
    return line.encode("utf-8") + b"\n"


def decode(line: bytes, run_id: str) -> Optional[Dict[str, Any]]:
    """The event in a line, or None where the line is no event of this run (nonsense, another id)."""
    try:
        event = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("event") not in KINDS or event.get("id") != run_id:
        return None
    return event
