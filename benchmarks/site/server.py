"""nginx on loopback, unprivileged, in a temporary folder, gone with its parent."""

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.site.install import DOCUMENTATION, SiteUnavailable, install, program
from benchmarks.site.trees import TreeName

Protocol = Literal["h1", "h1_tls", "h2"]

_STARTS_WITHIN = 10.0
_TRIES = 3  # another process may take a free port before nginx does

_CONFIGURATION = """
daemon off;
worker_processes 1;
{affinity}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    include {mime_types};
    log_format requests escape=json '{{"time": $msec, "seconds": $request_time, '
        '"url": "$scheme://$http_host$request_uri", "method": "$request_method", '
        '"status": $status, "bytes": $bytes_sent, "protocol": "$server_protocol", '
        '"connection": $connection, "agent": "$http_user_agent"}}';
    access_log {folder}/access.log requests;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    tcp_nopush on;
    ssl_certificate {folder}/site.pem;
    ssl_certificate_key {folder}/site.key;
    server {{
        listen 127.0.0.1:{h1};
{more_hosts}
        listen 127.0.0.1:{h1_tls} ssl;
        listen 127.0.0.1:{h2} ssl http2;
        server_name localhost 127.0.0.1;
        index index.html;
{locations}
        location = /one/index.html {{
            default_type text/html;
            return 200 '<!doctype html><title>One page</title>';
        }}
    }}
}}
"""

_CERTIFICATES = """
[req]
distinguished_name = name
prompt = no
[name]
O = crawler benchmarks
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[site]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Served:
    """One line of the access log; `time` is when the answer was complete."""

    time: float
    seconds: float
    url: str
    method: str
    status: int
    bytes: int
    protocol: str
    connection: int
    agent: str


@dataclass(frozen=True, slots=True)
class Running:
    """A site that answers. Each base URL serves both trees, without a last slash."""

    h1: str
    h1_tls: str
    h2: str
    ca_file: Path
    log_path: Path

    def start(self, tree: TreeName | Literal["one"], protocol: Protocol = "h1") -> str:
        """The start page of a tree; every page of the tree is below its folder.

        `one` is a tree of a single page, for what a crawl costs without its pages.
        """
        base: str = getattr(self, protocol)
        return f"{base}/{tree}/index.html"

    def served(self) -> list[Served]:
        """Every request answered so far, by the access log, to the millisecond.

        nginx writes a line when the last byte has left, so that a client may be a
        moment ahead of the log.
        """
        lines = self.log_path.read_text(encoding="utf-8").splitlines()
        return [Served(**json.loads(line)) for line in lines]


@contextmanager
def site(*, cpu: int | None = None, hosts: int = 1) -> Iterator[Running]:
    """Serve both trees until the block ends; on core `cpu` if one is given.

    With several hosts the same pages are at 127.0.0.2 and so on, by plain HTTP.
    """
    install()
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="crawler-site-"))
        )
        _make_certificates(folder)
        process, ports = _start(folder, cpu, hosts)
        stack.callback(_stop, process)
        yield Running(
            h1=f"http://127.0.0.1:{ports['h1']}",
            h1_tls=f"https://127.0.0.1:{ports['h1_tls']}",
            h2=f"https://127.0.0.1:{ports['h2']}",
            ca_file=folder / "ca.pem",
            log_path=folder / "access.log",
        )


def _start(
    folder: Path, cpu: int | None, hosts: int
) -> tuple[subprocess.Popen[bytes], dict[str, int]]:
    said = ""
    for _ in range(_TRIES):
        ports = _free_ports("h1", "h1_tls", "h2")
        _write_configuration(folder, ports, cpu, hosts)
        process = _nginx(folder)
        if _answers(process, ports):
            return process, ports
        said = _stop(process)
    raise SiteUnavailable(f"nginx did not start: {said}")


def _write_configuration(
    folder: Path, ports: dict[str, int], cpu: int | None, hosts: int
) -> None:
    mask = "" if cpu is None else "1" + "0" * cpu
    locations = "\n".join(
        f"        location /{tree}/ {{ alias {root}/; }}"
        for tree, root in DOCUMENTATION.items()
    )
    more_hosts = "\n".join(
        f"        listen 127.0.0.{number}:{ports['h1']};"
        for number in range(2, hosts + 1)
    )
    text = _CONFIGURATION.format(
        folder=folder,
        more_hosts=more_hosts,
        affinity=f"worker_cpu_affinity {mask};" if mask else "",
        mime_types="/etc/nginx/mime.types",
        locations=locations,
        **ports,
    )
    (folder / "nginx.conf").write_text(text, encoding="utf-8")


def _nginx(folder: Path) -> subprocess.Popen[bytes]:
    # setpriv's --pdeathsig ends nginx with us, however we end.
    command = [program("setpriv"), "--pdeathsig", "TERM", program("nginx")]
    command += ["-p", str(folder), "-e", str(folder / "error.log")]
    command += ["-c", str(folder / "nginx.conf")]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _answers(process: subprocess.Popen[bytes], ports: dict[str, int]) -> bool:
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            for port in ports.values():
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> str:
    process.terminate()
    try:
        said = process.communicate(timeout=10)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
    return said.decode(errors="replace").strip()


def _free_ports(*names: str) -> dict[str, int]:
    with ExitStack() as stack:
        ports = {}
        for name in names:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports[name] = listener.getsockname()[1]
        return ports


def _make_certificates(folder: Path) -> None:
    (folder / "openssl.cnf").write_text(_CERTIFICATES, encoding="utf-8")
    _make_certificate(folder, "ca", "authority")
    _make_certificate(
        folder, "site", "site", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"
    )


def _make_certificate(
    folder: Path, name: str, section: str, *signed_by: str | Path
) -> None:
    command: list[str | Path] = [program("openssl"), "req", "-x509", "-days", "30"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-config", folder / "openssl.cnf", "-extensions", section]
    command += ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
    done = subprocess.run(
        [*command, *signed_by], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SiteUnavailable(f"openssl made no certificate: {done.stderr.strip()}")
