"""How gunicorn serves pages: `gunicorn --config config/gunicorn.py config.wsgi`."""

import os
import shutil
import tempfile
from typing import Any

# Before a worker imports the client: each process writes its sums there, any of them adds them up.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="loved-metrics-")

bind = os.environ.get("BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
keepalive = 30
timeout = 60
graceful_timeout = 30
# A backend of PostgreSQL grows with every schema that it has touched; so does a process of ours.
max_requests = 10_000
max_requests_jitter = 1_000
control_socket_disable = True
# Whoever reaches this port is the proxy: it must not be reachable from anywhere else.
forwarded_allow_ips = "*"


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a process that ended had said about this moment."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Leave no file behind."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
