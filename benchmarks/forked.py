"""Work in a forked process that has everything imported, and what it says on a pipe."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator


def in_child(work: Callable[[int], None], kill: tuple[int, float] | None = None) -> Iterator[str]:
    """Do something in a forked process and yield the lines it writes.

    Args:
        work: Gets the pipe to `send` to; a failure is sent as "failed".
        kill: After how many acts, and how many seconds after these; None lets it finish.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            work(writing)
            status = 0
        except BaseException:  # noqa: BLE001 - it must not run on as a second parent
            send(writing, failed=traceback.format_exc()[-2000:])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        if kill is not None:
            acts, delay = kill
            yield from itertools.islice(pipe, 2 * acts)  # announced, acknowledged
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
        yield from pipe
    os.waitpid(child, 0)


def send(pipe: int, **message: object) -> None:
    """One line, in one piece: a kill leaves it whole or not at all."""
    os.write(pipe, (json.dumps(message) + "\n").encode())
