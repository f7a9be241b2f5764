"""Both flavours' databases side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastload.testing.mysql_servers import MysqlServer
from tests.conftest import MysqlDatabase


@pytest.fixture
def in_mysql(mysql: MysqlServer) -> Iterator[MysqlDatabase]:
    with mysql.database("fastload_pair"):
        yield MysqlDatabase(mysql, "fastload_pair")


@pytest.fixture
def in_mariadb(mariadb: MysqlServer) -> Iterator[MysqlDatabase]:
    with mariadb.database("fastload_pair"):
        yield MysqlDatabase(mariadb, "fastload_pair")
