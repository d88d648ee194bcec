"""A TCP relay on loopback that breaks things: cuts after so many bytes, falls silent, or lets them through in drops.

with relay(device.port, cut_after=5000) as port: ...
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator


def _pump(source: socket.socket, sink: socket.socket, left: list[int], pause: float, piece: int, reset: bool) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(piece):
            if pause:
                time.sleep(pause)
            if left[0] >= 0:
                data = data[: left[0]]
                left[0] -= len(data)
            sink.sendall(data)
            if left[0] == 0:
                if reset:
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                break
    for end in (source, sink):
        with contextlib.suppress(OSError):
            # wakes the thread that waits on this end; else the connection lives on until it returns, and no RST is sent
            end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            end.close()


@contextlib.contextmanager
def relay(port: int, *, cut_after: int = -1, drip_after: int = -1, silent_after: int = -1, reset: bool = False) -> Iterator[int]:
    """A port that leads to `port` of 127.0.0.1.

    `cut_after`: the connection ends when the server has sent this many bytes (with an RST, if `reset`). `drip_after`: from then
    on, its bytes come one every 50 ms. `silent_after`: from then on they come no more, and the connection stays open. The bytes
    are counted over all connections, so that one who connects again finds the line as it left it.
    """
    left = [cut_after]
    passed = [0]
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                for line in (client, server):
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    lines.append(line)
                threading.Thread(target=_pump, args=(client, server, [-1], 0.0, 65536, reset), daemon=True).start()
                threading.Thread(target=back, args=(server, client), daemon=True).start()

    def back(server: socket.socket, client: socket.socket) -> None:
        if drip_after < 0 and silent_after < 0:
            _pump(server, client, left, 0.0, 65536, reset)
            return
        until = max(drip_after, silent_after)
        with contextlib.suppress(OSError):
            while passed[0] < until and (data := server.recv(until - passed[0])):
                client.sendall(data)
                passed[0] += len(data)
            while silent_after >= 0 and server.recv(65536):
                pass
            _pump(server, client, [-1], 0.05, 1, reset)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        for line in (listener, *lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
