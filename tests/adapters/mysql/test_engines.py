"""Tables without transactions: made with them, or refused, and read with a word about it."""

from __future__ import annotations

import pytest

import fastload
from fastload.testing.mysql_servers import MysqlServer

OLD = """
CREATE TABLE plain (id int PRIMARY KEY, note varchar(20), FULLTEXT KEY words (note))
  ENGINE = MyISAM ROW_FORMAT = FIXED PACK_KEYS = 1 COMMENT = 'of old';
CREATE TABLE numbered (grp int, id int AUTO_INCREMENT, PRIMARY KEY (grp, id)) ENGINE = MyISAM;
CREATE TABLE held (id int, KEY (id) USING HASH) ENGINE = MEMORY;
CREATE TABLE kept (id int NOT NULL) ENGINE = CSV;
CREATE TABLE good (id int PRIMARY KEY);
INSERT INTO plain VALUES (1, 'one'), (2, 'two');
INSERT INTO numbered (grp) VALUES (1), (1), (2);
INSERT INTO held VALUES (1);
INSERT INTO kept VALUES (1);
INSERT INTO good VALUES (1);
"""
ENGINES = (
    "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = '{}' "
    "AND table_name NOT LIKE '\\_fastload%' ORDER BY 1"
)


async def test_tables_are_made_with_transactions(server, database):
    database.execute(OLD)
    with server.database("engines_there") as target:
        result = await fastload.copy(database.url, target)
        assert result.rows == 8
        found = server.execute(ENGINES.format("engines_there"))
        assert found == [(n, "InnoDB") for n in ("good", "held", "kept", "numbered", "plain")]
        assert server.execute("SELECT grp, id FROM engines_there.numbered ORDER BY 1, 2") == [
            (1, 1),
            (1, 2),
            (2, 1),
        ]
        told = {n.name.split(".")[1]: n.reason for n in result.not_carried if n.kind == "engine"}
    assert told.keys() == {"plain", "numbered", "held", "kept"}
    assert "MyISAM" in told["plain"]
    assert not result.consistent
    assert "has no snapshots" in result.inconsistent_because


async def test_tables_of_the_other_flavour(database, mariadb, mysql):
    other = mysql if database.server is mariadb else mariadb
    database.execute(OLD)
    with other.database("engines_there") as target:
        assert (await fastload.copy(database.url, target)).rows == 8
        assert {e for _, e in other.execute(ENGINES.format("engines_there"))} == {"InnoDB"}


@pytest.mark.parametrize("mode", ["create", "append", "truncate", "upsert", "replace"])
async def test_tables_that_are_there(server, database, mode):
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    with server.database("engines_there") as target:
        server.execute("CREATE TABLE t (id int PRIMARY KEY) ENGINE = MyISAM", "engines_there")
        if mode == "replace":
            assert (await fastload.copy(database.url, target, mode=mode)).rows == 1
            assert server.execute(ENGINES.format("engines_there")) == [("t", "InnoDB")]
            return
        with pytest.raises(fastload.SchemaMismatch) as caught:
            await fastload.plan(database.url, target, mode=mode)
        assert "ALTER TABLE `engines_there`.`t` ENGINE = InnoDB" in str(caught.value)
        server.execute("ALTER TABLE t ENGINE = InnoDB", "engines_there")
        assert (await fastload.copy(database.url, target, mode=mode)).rows == 1


async def test_a_server_whose_default_is_another(source, server):
    source.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    engine = {"default_storage_engine": "MyISAM"}
    with MysqlServer.start(server.flavour, options=engine) as old:
        old.create_database("shop")
        assert (await fastload.copy(source.url, old.url_for("shop"))).rows == 1
        assert old.execute(ENGINES.format("shop")) == [("t", "InnoDB")]
