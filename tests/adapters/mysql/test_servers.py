"""The servers that the other tests rely on: what they are set to, and that they end."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pymysql
import pytest

from fastload.testing import private_server
from fastload.testing.fixtures import running
from fastload.testing.mysql_servers import MysqlServer
from fastload.testing.private_server import ServerUnavailable

pytestmark = pytest.mark.mysql

CIPHER = "SHOW STATUS LIKE 'Ssl_cipher'"
SETTINGS = {
    "bind_address": "127.0.0.1",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "character_set_server": "utf8mb4",
    "local_infile": "ON",
    "log_bin": "ON",
    "skip_name_resolve": "ON",
    "time_zone": "+00:00",
}
GTID = {
    "mariadb": {"gtid_strict_mode": "ON"},
    "mysql": {"gtid_mode": "ON", "enforce_gtid_consistency": "ON"},
}


@pytest.fixture(params=["mariadb", "mysql"])
def own(request):
    """A server that the test may end."""
    yield from running(lambda: MysqlServer.start(request.param))


def ask(server, sql, **options):
    with server.connect(**options) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def over_tls(ca_file):
    return {
        "host": "127.0.0.1",
        "ssl_ca": str(ca_file),
        "ssl_verify_cert": True,
        "ssl_verify_identity": True,
    }


def closed(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def gone(path, within_s=15):
    deadline = time.monotonic() + within_s
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not path.exists()


def test_it_is_the_flavour_that_was_asked_for(server):
    (version,) = server.execute("SELECT VERSION()")[0]
    assert ("MariaDB" in version) == (server.flavour == "mariadb")


def test_answers_over_its_socket(server):
    status = ask(server, CIPHER, ssl_disabled=True)
    assert status == (("Ssl_cipher", ""),)


def test_answers_over_tcp_with_tls(server):
    ((_, cipher),) = ask(server, CIPHER, **over_tls(server.ca_file))
    assert cipher


def test_answers_over_tcp_in_the_clear(server):
    ((_, cipher),) = ask(server, CIPHER, host="127.0.0.1", ssl_disabled=True)
    assert cipher == ""


def test_certificate_is_of_its_own_authority(server, tmp_path):
    private_server.make_certificates(tmp_path)
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        server.connect(**over_tls(tmp_path / "ca.pem"))
    assert isinstance(caught.value.original_exception, ssl.SSLError)


def test_settings(server):
    wanted = SETTINGS | GTID[server.flavour]
    names = ", ".join(f"'{name}'" for name in wanted)
    found = server.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    assert dict(found) == wanted


def test_rows_are_in_the_binary_log(database):
    database.server.execute("FLUSH BINARY LOGS")  # statements of others hold any bytes
    database.execute("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)")
    log = database.server.execute("SHOW BINARY LOGS")[-1][0]
    events = [row[2] for row in database.server.execute(f"SHOW BINLOG EVENTS IN '{log}'")]
    assert any(event.startswith("Write_rows") for event in events)


def test_loads_a_local_file(database, tmp_path):
    file = tmp_path / "rows"
    file.write_text("1\tone\n2\ttwo\n")
    database.execute("CREATE TABLE t (i int PRIMARY KEY, s text)")
    load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE t"
    ask(database.server, load, local_infile=True, database=database.name)
    assert database.execute("SELECT * FROM t ORDER BY i") == [(1, "one"), (2, "two")]


def test_database_is_made_and_dropped(server):
    with server.database("a`b/é") as url:
        assert url.endswith("/a%60b%2F%C3%A9")
        assert server.execute("SELECT DATABASE()", "a`b/é") == [("a`b/é",)]
    assert ("a`b/é",) not in server.execute("SHOW DATABASES")


def test_an_error_in_a_later_statement_is_raised(server):
    with pytest.raises(pymysql.ProgrammingError):
        server.execute("SELECT 1; SELEKT 2")


@pytest.mark.parametrize("user", ["root", "fastload", "nobody"])
def test_nobody_gets_in_without_password(server, user):
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        server.connect(host="127.0.0.1", user=user, password="")


def test_url_has_user_and_password(server):
    parts = urlsplit(server.url_for("mysql"))
    assert (parts.scheme, parts.hostname, parts.port) == (server.flavour, "127.0.0.1", server.port)
    assert parts.password != server.password == unquote(parts.password)
    options = {"host": parts.hostname, "user": parts.username, "password": unquote(parts.password)}
    assert ask(server, "SELECT DATABASE()", database="mysql", **options) == (("mysql",),)


def test_stop_leaves_nothing_behind(own):
    pid, watcher = own.pid, own._watcher
    own.stop()
    own.stop()
    assert not own.folder.exists()
    assert not Path(f"/proc/{pid}").exists()
    assert watcher.poll() is not None
    assert closed(own.port)


@pytest.mark.faults
def test_rows_survive_a_kill(own):
    own.create_database("d")
    own.execute("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)", "d")
    own.restart()
    own.kill()
    assert closed(own.port)
    own.restart()
    assert own.execute("SELECT i FROM t", "d") == [(1,)]


@pytest.mark.faults
def test_it_goes_with_the_process_that_started_it(server):
    code = (
        "import time; from fastload.testing.mysql_servers import MysqlServer\n"
        f"server = MysqlServer.start({server.flavour!r})\n"
        "print(server.folder, server.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as starter:
        folder, port = starter.stdout.readline().split()
        assert Path(os.fsdecode(folder)).exists()
        assert not closed(int(port))
        starter.send_signal(signal.SIGKILL)
    assert gone(Path(os.fsdecode(folder)))
    assert closed(int(port))


def test_a_start_that_fails_says_why(server):
    with pytest.raises(ServerUnavailable, match="nonsense"):
        MysqlServer.start(server.flavour, options={"nonsense": 1})


def test_a_taken_port_is_left_to_its_owner(server, monkeypatch):
    ports = iter([server.port, private_server.free_port()])
    monkeypatch.setattr(private_server, "free_port", lambda: next(ports))
    with MysqlServer.start(server.flavour, options={"max_connections": 17}) as other:
        assert other.port != server.port
        assert other.execute("SELECT @@max_connections") == [(17,)]
