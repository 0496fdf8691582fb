"""Run several sessions at once, each in its own thread: many cameras, one machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from rtswap.runtime.session import JOIN_S, TICK_S, Session


def run_together(sessions: Sequence[Session], *, on_tick: Callable[[], None] = lambda: None) -> None:
    """Run until all sessions have ended. The first failure stops the others and is raised; Ctrl-C stops all, and is
    raised too.

    The calling thread calls ``on_tick`` about every ``TICK_S``. No session may have a window.
    """
    failures: list[BaseException] = []

    def run(session: Session) -> None:
        try:
            session.run()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(session,), name=f"rtswap-session-{number}", daemon=True)
        for number, session in enumerate(sessions)
    ]
    try:
        for thread in threads:
            thread.start()
        while not failures and any(thread.is_alive() for thread in threads):
            time.sleep(TICK_S)
            on_tick()
    finally:
        for session in sessions:
            session.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join(2 * JOIN_S)
    if failures:
        raise failures[0]
