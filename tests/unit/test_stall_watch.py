"""The watch over hosts that train together."""

import socket
import time
from threading import Event

import pytest

from training.cluster import ALONE, Cluster
from training.distributed import StallWatch, network, without_addresses


def test_it_gives_up_once_no_tree_comes() -> None:
    given_up = Event()
    with StallWatch(given_up.set, after_seconds=0.05) as watch:
        watch(None)
        assert given_up.wait(5)


def test_it_waits_while_trees_come_and_ends_with_the_training() -> None:
    given_up = Event()
    with StallWatch(given_up.set, after_seconds=1.0) as watch:
        for _ in range(15):
            time.sleep(0.1)
            watch(None)
    time.sleep(1.2)
    assert not given_up.is_set()


def test_hosts_find_each_other_in_the_same_order_and_listen_where_their_name_says() -> None:
    hosts = ("127.0.0.1:9001", "localhost")
    first, second = (network(Cluster(hosts, host)) for host in hosts)
    assert first["machines"] == second["machines"] == "127.0.0.1:9001,127.0.0.1:12400"
    assert (first["local_listen_port"], second["local_listen_port"]) == (9001, 12400)
    assert first["num_machines"] == 2


def test_one_host_needs_no_network() -> None:
    assert network(ALONE) == {}


def test_a_host_without_an_address_is_an_error_at_once() -> None:
    with pytest.raises(socket.gaierror):
        network(Cluster(("algo-1.invalid", "localhost"), "localhost"))


def test_a_model_does_not_tell_where_it_was_trained() -> None:
    text = "[seed: 1]\n[machines: 10.0.0.1:1,10.0.0.2:1]\n[local_listen_port: 1]\n[num_machines: 2]\n"
    assert without_addresses(text) == "[seed: 1]\n[num_machines: 2]\n"
