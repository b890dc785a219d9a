"""One worker process: its event loop, its signals and the real parts that its life (app/life.py) is made of.

It stops at SIGTERM, and when the supervisor is gone.
"""

import asyncio
import gc
import os
import signal
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop

from estafette import maillog
from estafette.app.life import Post, live
from estafette.app.parts import Parts
from estafette.app.wake import Bell
from estafette.clock import Clock, SystemClock
from estafette.config import Config
from estafette.deliver.dns import DnsResolver
from estafette.deliver.flight_files import FlightFolder
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import StoreFault
from estafette.vault import open_vault

GC_THRESHOLDS: Final = (20_000, 20, 20)  # hardly anything here is part of a cycle: with Python's own the collector took 8 % of a busy worker's time
NO_STORE: Final = 4


def run(config: Config, post: Post, wake_folder: Path, lifeline_fd: int = -1) -> int:
    """The exit code of a worker's whole life. `wake_folder` is for hints between workers; `lifeline_fd` is a pipe that ends with the supervisor."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_live(config, post, wake_folder, lifeline_fd))
    except StoreFault as fault:
        maillog.fault("worker", str(post.index), fault)
        return NO_STORE


async def _live(config: Config, post: Post, wake_folder: Path, lifeline_fd: int) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if lifeline_fd >= 0:

        def orphaned() -> None:
            loop.remove_reader(lifeline_fd)
            stopping.set()

        loop.add_reader(lifeline_fd, orphaned)

    def ready(worker_id: int) -> None:
        gc.freeze()  # the code and what was built at the start are looked at no more
        gc.set_threshold(*GC_THRESHOLDS)
        post.report(worker_id)

    clock, d = SystemClock(), config.delivery
    policy = StatusPolicy(config.blocking.hard_bounce_days, config.blocking.soft_bounce_days, d.evidence_wait_s)
    store = await open_store(config.database.url, policy, clock, connections=config.database.connections)
    signers = ThreadPoolExecutor(d.signing_threads, thread_name_prefix="signer")
    try:
        bell = Bell(wake_folder, post.index, post.workers, config.database.url)
        parts = Parts(
            f"{socket.gethostname()}:{os.getpid()}", clock, store, FlightFolder(config.flights_path), bell, open_vault(config, clock),
            lambda: _resolver(config, clock), signers, ssl.create_default_context(cafile=d.tls_authorities or None),
        )  # fmt: skip
        return await live(config, replace(post, report=ready), parts, stopping)
    finally:
        signers.shutdown(wait=False)
        await store.close()


def _resolver(config: Config, clock: Clock) -> DnsResolver:
    return DnsResolver([(e.host, e.port) for e in config.delivery.dns], config.delivery.dns_timeout_s, clock)
