"""The listening sockets: bound once by the supervisor, one per worker and endpoint, so that a worker's death closes no door.

With SO_REUSEPORT the kernel shares new connections out among the workers; those that wait in a dead worker's queue are taken by its successor.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.config import Config
from estafette.quantities import Endpoint
from estafette.settings import ConfigError

BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True)
class Listener:
    """One endpoint with its sockets, one per worker."""

    role: str  # submission, submissions, inbound, http
    endpoint: Endpoint  # with the real port
    sockets: tuple[socket.socket, ...]


def open_listeners(config: Config, workers: int) -> list[Listener]:
    """Every listener that the roles of this machine need. Raises ConfigError naming the key and the address that cannot be had."""
    wanted: list[tuple[str, str, Endpoint]] = []
    if "accept" in config.server.roles:
        wanted += [("submission", "submission.listen", e) for e in config.submission.listen]
        wanted += [("submissions", "submission.tls_listen", e) for e in config.submission.tls_listen]
        wanted += [("inbound", "inbound.listen", e) for e in config.inbound.listen]
    if {"accept", "web"} & set(config.server.roles):
        wanted.append(("http", "http.listen", config.http.listen))
    opened: list[Listener] = []
    try:
        for role, key, endpoint in wanted:
            opened.append(_listener(role, key, endpoint, workers))
    except ConfigError:
        close_listeners(opened)
        raise
    return opened


def close_listeners(listeners: Sequence[Listener]) -> None:
    """Let the ports go."""
    for listener in listeners:
        for sock in listener.sockets:
            sock.close()


def _listener(role: str, key: str, endpoint: Endpoint, workers: int) -> Listener:
    host = "127.0.0.1" if endpoint.host == "localhost" else endpoint.host
    sockets: list[socket.socket] = []
    port = endpoint.port
    try:
        if port:  # SO_REUSEPORT would let a second installation share our port in silence: the first look is without it
            _bound(host, port, is_shared=False).close()
        for _ in range(workers):
            sockets.append(_bound(host, port, is_shared=True))
            port = sockets[0].getsockname()[1]
            sockets[-1].listen(BACKLOG)
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise ConfigError([f"{key}: cannot listen on {endpoint}: {os.strerror(error.errno or 0)}"]) from None
    return Listener(role, Endpoint(endpoint.host, port), tuple(sockets))


def _bound(host: str, port: int, *, is_shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
