"""What people get wrong first, on a server with the logins of its time."""

from __future__ import annotations

import traceback

import pytest

import fastload
from fastload import Url, doctor

SECRET = "hunter2secret"


async def refused(source, target):
    with pytest.raises(fastload.FastloadError) as caught:
        await fastload.copy(source, target)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.hint
    return caught.value


def url(server, database, *, user="fastload", password=SECRET, options=""):
    return f"mysql://{user}:{password}@127.0.0.1:{server.port}/{database}{options}"


async def test_wrong_password(mysql56, made, target):
    error = await refused(url(mysql56, made(mysql56)), target.url)
    assert isinstance(error, fastload.AuthenticationError)
    assert error.side == "source"


@pytest.mark.parametrize(("plugin", "number"), [("mysql_old_password", 1), ("sha256_password", 2)])
async def test_logins_that_would_show_the_password(mysql56, made, target, plugin, number):
    name = made(mysql56)
    mysql56.execute(f"CREATE USER old@'%' IDENTIFIED WITH {plugin}")
    try:
        mysql56.execute(
            f"SET old_passwords = {number}; SET PASSWORD FOR old@'%' = PASSWORD('{SECRET}'); "
            f"GRANT ALL ON {name}.* TO old@'%'"
        )
        error = await refused(url(mysql56, name, user="old"), target.url)
    finally:
        mysql56.execute("DROP USER old@'%'")
    assert isinstance(error, fastload.AuthenticationError)


async def test_tls_that_it_does_not_have(mysql56, made, target):
    name = made(mysql56)
    error = await refused(url(mysql56, name, options="?ssl_mode=REQUIRED"), target.url)
    assert isinstance(error, fastload.TlsError)


async def test_database_that_is_not_there(mysql56, target):
    error = await refused(mysql56.url_for("nowhere"), target.url)
    assert isinstance(error, fastload.DatabaseNotFound)
    assert "nowhere" in str(error)


async def test_a_user_without_rights_is_told_so(mysql56, made, target):
    name = made(mysql56)
    mysql56.execute("CREATE TABLE t (id int PRIMARY KEY)", name)
    mysql56.execute(f"GRANT INSERT ON {name}.* TO poor@'%' IDENTIFIED BY '{SECRET}'")
    try:
        error = await refused(url(mysql56, name, user="poor"), target.url)
    finally:
        mysql56.execute("DROP USER poor@'%'")
    assert "may not read" in str(error)


async def test_doctor(release, made):
    found = await doctor.examine([Url.parse(release.url_for(made(release)))])
    assert not [p for p in found if p.place != "here" and p.finding.level == "bad"]
