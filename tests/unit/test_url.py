"""URLs: read strictly, written without secrets."""

from __future__ import annotations

import copy
import pickle
import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload.errors import ConfigError
from fastload.url import Secret, Url, redacted

PARTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)


@given(user=PARTS, password=PARTS, database=PARTS, port=st.integers(1, 65535))
def test_any_user_password_and_database_come_through(user, password, database, port):
    secret, name = quote(password, safe=""), quote(database, safe="")
    url = Url.parse(f"postgresql://{quote(user, safe='')}:{secret}@h:{port}/{name}")
    assert (url.user, url.database, url.host, url.port) == (user, database, "h", port)
    assert url.password == Secret(password)


@given(password=st.text("abc@/%:?#&=é \\'\"", min_size=6, max_size=20))
def test_no_text_shows_the_password(password):
    url = Url.parse(f"postgresql://u:{quote(password, safe='')}@h/d?sslpassword=hidden1")
    shown = [str(url), repr(url), f"{url}", repr(url.password), f"{url.password:>20}"]
    assert not any(password in text or "hidden1" in text for text in shown)
    assert "***" in str(url)


def test_a_secret_is_not_pickled_and_survives_copies():
    secret = Secret("hunter2")
    assert copy.deepcopy(secret).reveal() == "hunter2"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


WRONG = {
    "no scheme": "localhost/db",
    "blank": "postgresql://u:se cret@h/d",
    "an @ in the password": "postgresql://u:se@cret@h@x/d",
    "a slash in the password": "postgresql://u:sec/ret@h/d",
    "a # in the password": "postgresql://u:sec#ret@h/d",
    "port": "postgresql://u:secret@h:seventy/d",
    "port too large": "postgresql://u:secret@h:70000/d",
    "escape": "postgresql://u:secret%zz@h/d",
    "not UTF-8": "postgresql://u:secret%ff@h/d",
    "zero byte": "postgresql://u:secret@h/d%00",
    "path": "postgresql://u:secret@h/d/e",
    "option": "postgresql://u:secret@h/d?sslmode",
    "option twice": "postgresql://u:secret@h/d?a=1&a=2",
    "IPv6": "postgresql://u:secret@[::g]/d",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_could_mean_two_things_is_refused_without_being_shown(text):
    if text == WRONG["an @ in the password"]:
        # The last @ ends the credentials: the host here is x, as every client reads it.
        assert Url.parse(text).host == "x"
        return
    with pytest.raises(ConfigError) as caught:
        Url.parse(text)
    told = "".join(traceback.format_exception(caught.value))
    assert caught.value.hint
    assert not any(word in told.split("Url.parse(text)")[-1] for word in ("secret", "sec/ret"))


def test_hosts_are_names_addresses_and_folders():
    assert Url.parse("postgresql://[::1]:5433/d").host == "::1"
    assert Url.parse("postgresql://%2Fvar%2Frun/d").host == "/var/run"
    assert Url.parse("postgresql:///d").host is None
    assert str(Url.parse("postgresql://[::1]:5433/d")) == "postgresql://[::1]:5433/d"


def test_schemes_have_one_spelling_and_may_name_a_driver():
    assert Url.parse("postgres://h/d").scheme == "postgresql"
    url = Url.parse("POSTGRESQL+asyncpg://h/d")
    assert (url.scheme, url.driver) == ("postgresql", "asyncpg")
    assert url.with_database("other").database == "other"


@pytest.mark.parametrize(
    "text",
    [
        "failed: postgresql://u:p@ss/w@h:1/d went away",
        "postgresql://h/d?password=p@ss/w&x=1",
        "'postgresql+asyncpg://u:p@ss/w@h/d'",
    ],
)
def test_texts_of_others_lose_their_credentials(text):
    assert "p@ss" not in redacted(text)
    assert "ss/w@" not in redacted(text)
