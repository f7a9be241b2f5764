"""Where the servers' programs come from: nothing is taken that was not checked."""

from __future__ import annotations

import hashlib
import os

import pytest

from fastload.testing import mysql_packages, mysql_programs
from fastload.testing.private_server import ServerUnavailable


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(mysql_programs.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_nothing_is_fetched_when_it_is_there(folder, monkeypatch):
    (folder / "tree").mkdir()
    monkeypatch.setattr(mysql_packages, "_run", pytest.fail)
    mysql_packages.install_mysql()
    assert [path.name for path in folder.iterdir()] == ["tree"]


def test_missing_server_says_what_brings_it(folder):
    with pytest.raises(ServerUnavailable, match=r"python -m fastload\.testing\.mysql_packages"):
        mysql_programs.spec_of("mysql")


def test_folder_that_cannot_be_made_is_named(folder, monkeypatch):
    (folder / "file").touch()
    monkeypatch.setenv(mysql_programs.FOLDER_VARIABLE, str(folder / "file" / "in it"))
    with pytest.raises(ServerUnavailable, match=mysql_programs.FOLDER_VARIABLE):
        mysql_packages.install_mysql()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_programs_of_another_user_are_not_run(folder):
    (folder / "tree").mkdir()
    os.chown(folder / "tree", 12345, 12345)
    with pytest.raises(ServerUnavailable, match="another user"):
        mysql_programs.spec_of("mysql")
    assert "mysql" not in [spec.flavour for spec in mysql_programs.available()]


def test_checksum_is_compared(tmp_path):
    (tmp_path / "a.deb").write_bytes(b"as it was")
    right = hashlib.sha256(b"as it was").hexdigest()
    line = "'mirror/a.deb' a.deb 9 SHA256:"
    assert mysql_packages._checked(tmp_path, line + right) == tmp_path / "a.deb"
    with pytest.raises(ServerUnavailable, match=r"a\.deb"):
        mysql_packages._checked(tmp_path, line + right[::-1])


@pytest.mark.parametrize(("required", "code"), [("1", 1), ("", 0)])
def test_failure_counts_where_servers_are_required(monkeypatch, capsys, required, code):
    def fail():
        raise ServerUnavailable("no pool")

    monkeypatch.setattr(mysql_packages, "install_mariadb", lambda: None)
    monkeypatch.setattr(mysql_packages, "install_mysql", fail)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("FASTLOAD_REQUIRE_SERVERS", required)
    assert mysql_packages.main() == code
    assert "no pool" in capsys.readouterr().err
