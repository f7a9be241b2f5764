"""Url: strict parsing, what it keeps, and what no text of it shows."""

from __future__ import annotations

import copy
import pickle
import traceback
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastload import ConfigError, Secret, Url
from fastload.url import redacted

CANARY = "canary4711"
# What a person may type around a secret without encoding it.
HOSTILE = st.text("@:/?#%&=+ '\"[]\\$ü\t\n", max_size=6)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def test_every_part_is_kept():
    url = Url.parse("postgresql+asyncpg://ann:s%40cret@db.example:6432/shop?sslmode=require&a=b")
    assert (url.scheme, url.driver, url.host, url.port) == (
        "postgresql",
        "asyncpg",
        "db.example",
        6432,
    )
    assert (url.user, url.database) == ("ann", "shop")
    assert url.password is not None
    assert url.password.reveal() == "s@cret"
    assert dict(url.options) == {"sslmode": "require", "a": "b"}


@pytest.mark.parametrize(
    ("text", "part", "value"),
    [
        ("postgres://h/d", "scheme", "postgresql"),
        ("POSTGRESQL://h/d", "scheme", "postgresql"),
        ("postgresql:///d", "host", None),
        ("postgresql://", "database", None),
        ("postgresql://h", "port", None),
        ("postgresql://h/", "database", None),
        ("postgresql://%2Frun%2Fpg/d", "host", "/run/pg"),
        ("postgresql://[2001:db8::1]:5/d", "host", "2001:db8::1"),
        ("postgresql://[::1]/d", "port", None),
        ("postgresql://h/a%2Fb", "database", "a/b"),
        ("postgresql://a%3Ab@h", "user", "a:b"),
        ("postgresql://u:a@b@h/d", "host", "h"),
        ("postgresql://h/d?options=-c%20a=b+c", "options", {"options": "-c a=b+c"}),
    ],
)
def test_parts(text, part, value):
    assert getattr(Url.parse(text), part) == value


@pytest.mark.parametrize(
    ("password", "revealed"), [("", ""), (":", ":"), ("a:b", "a:b"), ("%25%40", "%@")]
)
def test_passwords(password, revealed):
    url = Url.parse(f"postgresql://u:{password}@h/d")
    assert url.password == Secret(revealed)


def test_no_password_is_not_an_empty_one():
    assert Url.parse("postgresql://u@h/d").password is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "postgresql:/h/d",
        "://h/d",
        "post gres://h/d",
        "postgresql://h/d/e",
        "postgresql://h:x/d",
        "postgresql://h:/d",
        "postgresql://h:0/d",
        "postgresql://h:65536/d",
        "postgresql://h:٣/d",
        "postgresql://a,b/d",
        "postgresql://[h]/d",
        "postgresql://[::1/d",
        "postgresql://[::1]x/d",
        "postgresql://u:p%/@h/d",
        "postgresql://u:%zz@h/d",
        "postgresql://u:%ff@h/d",
        "postgresql://u:%00@h/d",
        "postgresql://u:a b@h/d",
        "postgresql://u:a#b@h/d",
        "postgresql://u:a/b@h/d",
        "postgresql://u:a?b@h/d",
        "postgresql://h/d?sslmode",
        "postgresql://h/d?=x",
        "postgresql://h/d?a=1&a=2",
        "postgresql://h/d?a=1&&b=2",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        Url.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize("given", [None, 5, b"postgresql://h/d"])
def test_a_url_is_text(given):
    with pytest.raises(ConfigError, match="a URL is text"):
        Url.parse(given)


@given(before=HOSTILE, after=HOSTILE)
def test_a_password_typed_as_it_is_never_shows(before, after):
    text = f"postgresql://ann:{before}{CANARY}{after}@db/shop"
    assert CANARY not in told_of(text)


def told_of(text: str) -> str:
    """Return all that can be seen of a URL, or of the error that refuses it."""
    try:
        url = Url.parse(text)
    except ConfigError as error:
        return "".join(traceback.format_exception(error)) + repr(error.__dict__)
    parts = {name: getattr(url, name) for name in Url.__slots__}
    return f"{url} {url!r} {url.password} {parts}"


@given(password=TEXTS)
def test_an_encoded_password_comes_back_and_never_shows(password):
    url = Url.parse(f"postgresql://ann:{quote(CANARY + password, safe='')}@db/shop")
    assert url.password is not None
    assert url.password.reveal() == CANARY + password
    for text in (str(url), repr(url), f"{url}", f"{url.password:>20}", "%s %r" % (url, url)):  # noqa: UP031
        assert CANARY not in text


@pytest.mark.parametrize("option", ["password", "sslpassword", "PASSWORD", "api_key", "token"])
def test_secret_options_are_not_shown(option):
    url = Url.parse(f"postgresql://h/d?{option}={CANARY}&sslmode=require")
    assert CANARY not in f"{url!r}"
    assert "sslmode=require" in str(url)


@given(user=TEXTS, database=TEXTS, host=WORDS, options=st.dictionaries(WORDS, TEXTS, max_size=3))
def test_the_text_of_a_url_without_secrets_reads_back_equal(user, database, host, options):
    options = {f"o_{name}": value for name, value in options.items() if "key" not in name}
    options = {n: v for n, v in options.items() if "***" not in str(Url("x", options={n: v}))}
    url = Url("postgresql", host, 5432, database, user, None, None, options)
    assert Url.parse(str(url)) == url


@pytest.mark.parametrize("host", ["/run/postgresql", "2001:db8::1", "fe80::1%25", "db.example"])
def test_hosts_read_back_equal(host):
    url = Url("postgresql", host, None, "d")
    assert Url.parse(str(url)) == url


def test_a_url_with_a_password_is_not_pickled():
    with pytest.raises(TypeError, match="a Secret is not pickled") as caught:
        pickle.dumps(Url.parse(f"postgresql://u:{CANARY}@h/d"))
    assert CANARY not in str(caught.value)


def test_a_url_without_a_password_is_pickled():
    url = Url.parse("postgresql://u@h/d?a=b")
    assert pickle.loads(pickle.dumps(url)) == url


def test_copies_keep_the_password_to_themselves():
    url = Url.parse(f"postgresql://u:{CANARY}@h/d?a=b")
    for same in (copy.copy(url), copy.deepcopy(url), copy.deepcopy([url])[0]):
        assert same == url
        assert CANARY not in repr(same)


def test_a_url_does_not_change():
    options = {"a": "b"}
    url = Url("postgresql", options=options)
    options["a"] = "c"
    assert url.options["a"] == "b"
    with pytest.raises(TypeError):
        url.options["a"] = "c"  # type: ignore[index]
    with pytest.raises(AttributeError):
        url.host = "h"  # type: ignore[misc]


def test_a_plain_text_as_password_becomes_a_secret():
    assert repr(Url("postgresql", password=CANARY)) == "Url('postgresql://:***@')"  # type: ignore[arg-type]


def test_secrets_equal_by_value_and_hash_alike():
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a") != "a"


@example(before="@", after="://", around="{}")
@given(before=HOSTILE, after=HOSTILE, around=st.sampled_from(["{}", "'{}'", '"{}" x', "a\n{}\nb"]))
def test_redacted_hides_the_password_of_any_url_in_a_text(before, after, around):
    secret = f"{before}{CANARY}{after}".replace("\n", "")
    text = around.format(f"postgresql://ann:{secret}@db/shop")
    assert CANARY not in redacted(text)
    assert "db/shop" in redacted(text)


def test_redacted_leaves_the_rest_of_a_text():
    text = "no route to postgresql://db/shop?sslmode=require\n  @decorated"
    assert redacted(text) == text
    assert redacted("a@b\nfrom postgresql://a:b@one/d to c\nd@e") == (
        "a@b\nfrom postgresql://***@one/d to c\nd@e"
    )
    assert CANARY not in redacted(f"postgresql://h/d?password={CANARY}&sslmode=require")


@pytest.mark.parametrize("text", ["a" * 300_000, "a://" * 60_000, "a://b " * 40_000, "?" * 300_000])
def test_redacting_a_long_value_takes_no_longer_than_reading_it(text):
    """Quadratic matching would take hours here; an error may show a value of any length."""
    assert redacted(text) == text
