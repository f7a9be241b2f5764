"""Where passwords come from, and that nothing but the server sees them."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

import anyio
import anyio.lowlevel
import orjson
import pytest

import fastload
from fastload.registry import open_source
from fastload.secret import Secret, password_of
from fastload.testing.mysql_fake_server import fake_server
from fastload.testing.private_server import free_port
from fastload.url import Url

SECRET = "hunter2@/%:secret"
PLAIN = "hunter2 secret of another kind"
WRITTEN = quote(SECRET, safe="")


class Tokens:
    """Hands out passwords, and counts how often it was asked."""

    def __init__(self, *given: object) -> None:
        self.given, self.asked = given, 0

    def __call__(self) -> object:
        self.asked += 1
        found = self.given[min(self.asked, len(self.given)) - 1]
        if isinstance(found, Exception):
            raise found
        return found

    async def later(self) -> object:
        await anyio.lowlevel.checkpoint()
        return self()


@pytest.fixture(params=["mysql", "mariadb", "guarded"])
def guarded_url(request) -> Url:
    """A table ``t`` behind a password; the URL has none."""
    server = request.getfixturevalue(request.param)
    url = Url.parse(server.url_for("mysql" if request.param != "guarded" else "postgres"))
    return replace(url, password=None), server.password


@pytest.mark.parametrize("way", ["sync", "async", "lambda"])
async def test_a_call_brings_the_password_of_each_connection(guarded_url, way):
    url, password = guarded_url
    tokens = Tokens(password)
    calls = {"sync": tokens, "async": tokens.later, "lambda": lambda: tokens.later()}
    async with open_source(url.with_password(calls[way]), connections=3) as opened:
        async with anyio.create_task_group() as group:
            held = [opened._sessions.lend() for _ in range(3)]
            for one in held:
                group.start_soon(one.__aenter__)
        for one in held:
            await one.__aexit__(None, None, None)
        assert tokens.asked == 3


async def test_a_token_that_has_expired_is_refused_and_not_tried_again(guarded_url):
    url, _ = guarded_url
    tokens = Tokens(SECRET)
    error = await refused(url.with_password(tokens), fastload.AuthenticationError)
    assert tokens.asked <= 2  # source and target
    assert not error.retryable


RAISED = {
    "error": (ValueError(f"no {SECRET}"), fastload.AuthenticationError, "raised ValueError"),
    "network": (ConnectionResetError(SECRET), fastload.ConnectError, "ConnectionResetError"),
    "none": (None, fastload.ConfigError, "has brought NoneType"),
}


@pytest.mark.parametrize(("brought", "kind", "told"), RAISED.values(), ids=RAISED.keys())
async def test_a_call_that_brings_none(brought, kind, told):
    url = Url.parse("postgresql://u@127.0.0.1:1/d").with_password(Tokens(brought))
    with pytest.raises(kind, match=told) as caught:
        await password_of(url, "source")
    assert caught.value.side == "source"
    assert caught.value.hint
    assert SECRET not in str(caught.value)


async def test_a_call_that_takes_too_long():
    async def never() -> str:
        await anyio.sleep_forever()
        raise AssertionError

    url = Url.parse("mysql://u@127.0.0.1:1/d?connect_timeout=0.05").with_password(never)
    with pytest.raises(fastload.ConnectError, match="too long"):
        await password_of(url, "target")


async def test_a_secret_that_is_brought_has_no_value_yet():
    with pytest.raises(TypeError, match="fetch"):
        Secret(Tokens(SECRET)).reveal()
    assert await Secret(Tokens(SECRET)).fetch() == SECRET


# The environment.


@pytest.fixture
def variables(monkeypatch):
    for name, value in {"WORD": SECRET, "HOST": "db.example", "PORT": "99", "EMPTY": ""}.items():
        monkeypatch.setenv(f"FASTLOAD_T_{name}", value)
    monkeypatch.setenv("FASTLOAD_T_URL", "postgresql://u:p%40@db.example/d")


def test_variables_are_put_in_as_they_are(variables):
    url = Url.parse(
        "postgresql://${FASTLOAD_T_HOST}:a-${FASTLOAD_T_WORD}-%25@${FASTLOAD_T_HOST}:"
        "${FASTLOAD_T_PORT}/d?application_name=${FASTLOAD_T_WORD}"
    )
    assert (url.user, url.host, url.port) == ("db.example", "db.example", 99)
    assert url.password == Secret(f"a-{SECRET}-%")
    assert url.options["application_name"] == SECRET
    assert Url.parse("postgresql://u:%24{FASTLOAD_T_WORD}@h").password == Secret(
        "${FASTLOAD_T_WORD}"
    )


def test_a_variable_may_be_the_whole_url(variables):
    url = Url.parse("${FASTLOAD_T_URL}")
    assert (url.host, url.password) == ("db.example", Secret("p@"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://u:${FASTLOAD_T_NONE}@h/d", "FASTLOAD_T_NONE, which the URL names, is not"),
        ("postgresql://u:${FASTLOAD_T_EMPTY}@h/d", "is empty"),
        ("postgresql://u:${1}@h/d", "names no variable"),
        ("postgresql://u:${keyring:}@h/d", "names no variable"),
        ("postgresql://${keyring:x}@h/d", "names no variable"),
        ("postgresql://u@${FASTLOAD_T_WORD}/d", "not a name or an address"),
        ("postgresql://u@h:${FASTLOAD_T_WORD}/d", "port is not a number"),
        ("${FASTLOAD_T_NONE}", "is not set"),
        ("${FASTLOAD_T_WORD}", "not a database URL"),
    ],
)
def test_variables_that_will_not_do(variables, text, told):
    with pytest.raises(fastload.ConfigError, match=told) as caught:
        Url.parse(text)
    assert caught.value.hint
    assert SECRET not in str(caught.value)


# The keyring.


@pytest.fixture
def stored():
    """What a keyring holds; this one is memory."""
    import keyring
    import keyring.backend

    class Memory(keyring.backend.KeyringBackend):
        priority = 1
        held: ClassVar[dict[tuple[str, str], str]] = {}

        def get_password(self, service, username):
            return self.held.get((service, username))

        def set_password(self, service, username, password):
            self.held[service, username] = password

        def delete_password(self, service, username):
            del self.held[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield Memory.held
    Memory.held.clear()
    keyring.set_keyring(before)


async def test_the_keyring_is_asked_for_the_urls_user(stored):
    stored["my shop", "ann"] = SECRET
    url = Url.parse("postgresql://ann:${keyring:my%20shop}@h/d")
    assert await password_of(url, "source") == SECRET
    assert SECRET not in f"{url} {url!r}"


async def test_a_keyring_that_has_none(stored):
    url = Url.parse("postgresql://o'b:${keyring:a%24(b)}@h/d")
    with pytest.raises(fastload.AuthenticationError, match="has no password") as caught:
        await password_of(url, "target")
    assert """keyring set 'a$(b)' 'o'"'"'b'""" in caught.value.hint


async def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    with pytest.raises(fastload.ConfigError, match="not installed") as caught:
        await password_of(Url.parse("mysql://u:${keyring:x}@h"), "source")
    assert "pip install 'fastload[keyring]'" in caught.value.hint


# What programs that report errors would show.


async def refused(url: Url, kind: type[fastload.FastloadError]) -> fastload.FastloadError:
    with pytest.raises(kind) as caught:
        await fastload.copy(url, url, mode="append")
    check_frames(caught.value, SECRET)
    return caught.value


def check_frames(error: BaseException, secret: str) -> None:
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(told.format())
    assert "with_password" not in text
    assert secret not in text
    assert repr(secret)[1:-1] not in text


async def test_no_frame_of_a_failed_login_keeps_the_password(guarded_url):
    url, _ = guarded_url
    await refused(url.with_password(SECRET), fastload.AuthenticationError)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_no_frame_of_a_failed_connection_keeps_it(scheme):
    url = Url(scheme, "127.0.0.1", free_port(), "d", "u").with_password(SECRET)
    await refused(url, fastload.ConnectError)


async def test_no_frame_of_a_verb_keeps_the_text_of_a_url():
    """The caller's own frames do; those are the caller's."""
    port = free_port()
    for verb in (fastload.copy, fastload.plan, fastload.verify):
        with pytest.raises(fastload.ConnectError) as caught:
            await verb(*(f"postgresql://u:{WRITTEN}@127.0.0.1:{port}/{d}" for d in "ab"))
        check_frames(caught.value, WRITTEN)
    with pytest.raises(fastload.ConnectError) as caught:
        await fastload.write(None, f"mysql://u:{WRITTEN}@127.0.0.1:{port}/d", "t.t")
    check_frames(caught.value, WRITTEN)


def test_no_frame_of_a_script_keeps_the_text_of_a_url():
    with pytest.raises(fastload.ConnectError) as caught:
        fastload.blocking.plan(*(f"mysql://u:{WRITTEN}@127.0.0.1:{free_port()}/{d}" for d in "ab"))
    check_frames(caught.value, WRITTEN)


async def test_no_frame_of_a_mysql_plugin_keeps_the_password(monkeypatch):
    """The frame of the function that fails has it: this is red unless frames are cleared."""

    def fail(password: bytes, challenge: bytes) -> bytes:
        raise RuntimeError("no package")

    monkeypatch.setattr("pymysql._auth.ed25519_password", fail)
    switch = b"\xfeclient_ed25519\0" + b"x" * 32
    async with fake_server(login=switch) as fake:
        url = Url.parse(fake.url).with_password(PLAIN)
        with pytest.raises(fastload.AuthenticationError, match="one more package") as caught:
            await fastload.copy(url, url, mode="append")
    check_frames(caught.value, PLAIN)


async def test_what_plain_data_makes_of_it():
    url = Url.parse("postgresql://u@h/d").with_password(SECRET)
    assert SECRET not in repr([getattr(url, name) for name in Url.__slots__])
    with pytest.raises(TypeError):
        orjson.dumps(url.password)
    assert SECRET not in repr(vars(fastload.ConfigError("x")))
