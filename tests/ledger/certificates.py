"""Certificates for the tests, generated for each run, and a redis-server that uses them for TLS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trustme

from tests.ports import free_port
from tests.redis_servers import RedisProcess


class Authority:
    """Signs certificates. `ca`: file with the authority's own certificate."""

    def __init__(self, folder: Path, name: str = "ours") -> None:
        self._folder, self._ca = folder, trustme.CA(organization_name=name)
        self.ca = folder / f"{name}-ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(self, *names: str) -> Path:
        """A file with a key and a certificate for these hosts, or for this client."""
        file = self._folder / f"{names[0]}.pem"
        self._ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(file))
        return file


class TLSRedis(RedisProcess):
    """A server that only speaks TLS, on `port`. `url` names no authority; add `trusting(...)`."""

    def __init__(
        self, folder: Path, authority: Authority, *, hosts: tuple[str, ...] = ("127.0.0.1",), asks_clients: bool = False
    ) -> None:
        certificate = authority.issue(*hosts)
        port = free_port()
        super().__init__(
            folder,
            options=(
                "--port", "0", "--tls-port", str(port), "--tls-cert-file", str(certificate),
                "--tls-key-file", str(certificate), "--tls-ca-cert-file", str(authority.ca),
                "--tls-auth-clients", "yes" if asks_clients else "no",
            ),
        )  # fmt: skip
        self.port = port
        self.url = f"rediss://127.0.0.1:{port}/0"

    def start(self) -> None:
        try:
            super().start()
        except RuntimeError as error:
            if "TLS support" in str(error) and "REDIS_SERVER" in os.environ:
                pytest.skip("the server that REDIS_SERVER names was built without TLS")
            raise


def trusting(authority: Authority) -> str:
    """URL options that trust certificates signed by this authority."""
    return f"?ssl_ca_certs={authority.ca}"


def showing(certificate: Path) -> str:
    """URL options, to follow `trusting(...)`, that present this client certificate."""
    return f"&ssl_certfile={certificate}&ssl_keyfile={certificate}"
