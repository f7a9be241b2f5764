"""Errors: what, where, hint; their tree; and that they survive a pickle."""

from __future__ import annotations

import copy
import pickle

import pytest

from fastload import errors
from fastload.errors import (
    AuthenticationError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DecodeError,
    EncodeError,
    FastloadError,
    PlanError,
    SourceError,
    StateError,
    TargetError,
    TargetFull,
    TooManyConnections,
    Unrepresentable,
    VerificationError,
)


def every_class(root: type[FastloadError] = FastloadError) -> list[type[FastloadError]]:
    return [root, *(c for sub in root.__subclasses__() for c in every_class(sub))]


CLASSES = [c for c in every_class() if c.__module__ == errors.__name__]
FULL = {
    "side": "target",
    "table": "public.t",
    "partition": 0,
    "key": "id=7",
    "column": "c",
    "hint": "widen the column",
}


def test_text_is_what_where_hint():
    assert str(TargetError("value too long", **FULL)) == (
        "value too long\n"
        "  where: target, table public.t, partition 0, key id=7, column c\n"
        "  hint: widen the column"
    )


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({}, "no"),
        ({"hint": "do"}, "no\n  hint: do"),
        ({"side": "source"}, "no\n  where: source"),
        ({"table": "a.b"}, "no\n  where: table a.b"),
        ({"key": ""}, "no\n  where: key "),
    ],
)
def test_what_is_not_known_is_left_out(where, told):
    assert str(FastloadError("no", **where)) == told


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_pickled_with_all_it_knows(kind):
    error = kind("what", **FULL)
    error.add_note("noted")
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(same) is kind
        assert same.__dict__ == error.__dict__
        assert same.args == error.args
        assert str(same) == str(error)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (DecodeError, {"offset": 5, "column_index": 2}),
        (EncodeError, {"row": 3, "column_index": 0}),
        (Unrepresentable, {"row": 3, "column_index": 0, "value": "infinity"}),
        (VerificationError, {"result": {"differences": 1}}),
    ],
)
def test_what_an_error_adds_is_kept(kind, more):
    same = pickle.loads(pickle.dumps(kind("what", **more, **FULL)))
    assert {name: getattr(same, name) for name in more} == more
    assert same.hint == FULL["hint"]


def test_every_error_has_a_code_of_its_own():
    codes = [c.code for c in CLASSES]
    assert len(set(codes)) == len(codes) > 20


def test_what_may_be_tried_again():
    assert {c for c in CLASSES if c.retryable} == {
        ConnectError,
        ConnectionLost,
        TooManyConnections,
    }


@pytest.mark.parametrize(
    ("parent", "children"),
    [
        (ConfigError, "AdapterNotFound"),
        (PlanError, "UnsupportedType SchemaMismatch LossyType TargetNotEmpty"),
        (ConnectError, "AuthenticationError DatabaseNotFound TlsError TooManyConnections"),
        (SourceError, "TableNotFound DecodeError SnapshotLost LogLost"),
        (TargetError, "EncodeError ConstraintError Unrepresentable TargetFull TargetChanged"),
        (StateError, "ResumeRefused"),
    ],
)
def test_the_tree(parent, children):
    assert {c.__name__ for c in CLASSES if c.__base__ is parent} == set(children.split())


def test_errors_that_stay_are_not_tried_again_though_their_parent_is():
    assert ConnectError("x").retryable
    assert not AuthenticationError("x").retryable
    assert not TargetFull("x").retryable
