"""A TCP listener on loopback with a thread per caller, stopped cleanly."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket, threading.Event], None]


class Listener:
    """Listens on a free port of 127.0.0.1 from its creation on; answers from `start` to `stop`."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.port: int = self._socket.getsockname()[1]

    def start(self) -> None:
        self._run(self._accept)

    def stop(self) -> None:
        self._stopping.set()
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        self._socket.settimeout(0.1)
        while not self._stopping.is_set():
            try:
                line, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._run(lambda line=line: self._answer(line))  # type: ignore[misc] # mypy cannot type a bound default

    def _answer(self, line: socket.socket) -> None:
        with line:
            self._serve(line, self._stopping)

    def _run(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
