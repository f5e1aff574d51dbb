"""LightGBM's own distributed learner: every host holds whole users, and all grow the same trees.

With ``tree_learner=data`` hosts exchange histograms over plain sockets, so rows never leave their host:
https://lightgbm.readthedocs.io/en/stable/Parallel-Learning-Guide.html. All measure the same validation users,
so all stop at the same tree.
"""

import re
import socket
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any, Final, Self

from training.cluster import Cluster

PORT: Final = 12_400
"""Where each host listens, unless its name says another: `host:port`."""
TIME_OUT_MINUTES: Final = 5
"""How long LightGBM waits for a host to appear or to answer."""
STALLED_SECONDS: Final = 60.0 * (TIME_OUT_MINUTES + 5)
"""Longest time without a tree. LightGBM notices a lost host by a broken or silent connection, but not by one
that was closed in order: it then reads nothing for ever (`Linkers::Recv` of its socket network)."""
_ADDRESSES: Final = re.compile(r"^\[(?:machines|local_listen_port): .*\]\n", re.MULTILINE)


def network(cluster: Cluster) -> Mapping[str, int | str]:
    """Return LightGBM's parameters for a host; empty for one that is alone.

    Raises
    ------
    OSError
        A host's name leads to no address.
    """
    if cluster.size == 1:
        return {}
    addresses = [_address(host) for host in cluster.hosts]
    return {
        "tree_learner": "data",
        "pre_partition": "true",
        "num_machines": cluster.size,
        "machines": ",".join(f"{ip}:{port}" for ip, port in addresses),
        "local_listen_port": addresses[cluster.place][1],
        "time_out": TIME_OUT_MINUTES,
    }


def without_addresses(model: str) -> str:
    """Drop where the hosts were from a model's text: equal trainings are equal bytes, wherever they ran."""
    return _ADDRESSES.sub("", model)


def _address(host: str) -> tuple[str, int]:
    # LightGBM takes addresses only, and looks for its own among those of this machine.
    name, _, port = host.partition(":")
    return socket.gethostbyname(name), int(port or PORT)


class StallWatch:
    """Calls `give_up` once no tree came for too long; a thread, as LightGBM waits outside of Python.

    As a context manager around the training, and as one of its callbacks.
    """

    def __init__(self, give_up: Callable[[], None], *, after_seconds: float = STALLED_SECONDS) -> None:
        self._give_up = give_up
        self._after_seconds = after_seconds
        self._progress = Event()
        self._ended = False
        self._thread = Thread(target=self._wait, daemon=True)

    def __call__(self, _: Any) -> None:
        """Take note of a tree."""
        self._progress.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._progress.set()
        self._thread.join()

    def _wait(self) -> None:
        while self._progress.wait(self._after_seconds):
            if self._ended:
                return
            self._progress.clear()
        self._give_up()
