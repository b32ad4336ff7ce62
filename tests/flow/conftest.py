"""A real Dask cluster on loopback."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

dask_cluster = importlib.import_module("dask_cluster")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Any]:
    """A scheduler without workers."""
    made = dask_cluster.DaskCluster(folder=tmp_path, port=dask_cluster.free_port())
    try:
        made.start_scheduler()
        yield made
    finally:
        made.stop()


@pytest.fixture
def cluster(scheduler: Any) -> Any:
    """A scheduler with two workers, on 127.0.0.2 and 127.0.0.3."""
    for host in ("127.0.0.2", "127.0.0.3"):
        scheduler.start_worker(host)
    scheduler.wait_for_workers(2)
    return scheduler
