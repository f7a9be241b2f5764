"""Every Python and shell example of the documentation runs, page by page, from top to bottom."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import fastload

ROOT = Path(fastload.__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "adapters" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOP = """
CREATE TABLE customer (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customer, placed date,
  amount numeric(12,2), note text);
CREATE VIEW totals AS SELECT customer, sum(amount) FROM orders GROUP BY 1;
INSERT INTO customer SELECT i, 'name ' || i FROM generate_series(1, 100) AS i;
INSERT INTO orders SELECT i, 1 + i % 100, '2023-06-01'::date + i, i / 7.0, 'note ' || i
FROM generate_series(1, 1000) AS i; ANALYZE"""


MYSQL_SHOP = """
SET SESSION sql_mode = 'STRICT_ALL_TABLES';
CREATE TABLE customer (id int PRIMARY KEY, name varchar(40));
CREATE TABLE orders (id int PRIMARY KEY, customer int, placed date, amount decimal(12,2), note text,
  FOREIGN KEY (customer) REFERENCES customer (id));
CREATE VIEW totals AS SELECT customer, sum(amount) FROM orders GROUP BY 1;
INSERT INTO customer WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  SELECT i, CONCAT('name ', i) FROM n;
INSERT INTO orders WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
  SELECT i, 1 + i % 100, '2023-06-01' + INTERVAL i DAY, ROUND(i / 7, 2), CONCAT('note ', i) FROM n
"""
MYSQL_URLS = ("mysql://user:password@old-server/shop", "mysql://app:password@old.example/shop")


def blocks(page, *languages):
    return [(m[1], m[2]) for m in BLOCK.finditer(page.read_text()) if m[1] in languages]


def with_servers(text, source, target):
    for name in ("user:password@old-server", "app@old.example"):
        text = text.replace(f"postgresql://{name}/shop", source.url)
    for name in ("user:password@new-server", "app@new.example"):
        text = text.replace(f"postgresql://{name}/shop", target.url)
    return text


@pytest.fixture
def filling(request, source, target):
    """What puts databases of this test's own into an example; MySQL's is made if one asks."""
    made = []

    def fill(text):
        if not any(url in text for url in MYSQL_URLS):
            return with_servers(text, source, target)
        if not made:
            server = request.getfixturevalue("mysql")
            made.append(stack.enter_context(server.database("fastload_test_shop")))
            server.execute(MYSQL_SHOP, "fastload_test_shop")
        for url in MYSQL_URLS:
            text = text.replace(url, made[0])
        # The examples' database is called shop.
        return with_servers(text.replace("shop.", "fastload_test_shop."), source, target)

    with ExitStack() as stack:
        yield fill


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if blocks(p, "python", "sh")],
    ids=lambda p: str(p.relative_to(ROOT)),
)
async def test_examples_run(page, source, target, filling, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    source.psql(SHOP)
    target.psql("CREATE SCHEMA archive; CREATE SCHEMA moved")
    scope = {"__name__": "example"}
    for language, text in blocks(page, "python", "sh"):
        filled = filling(text)
        if language == "sh":
            for line in filled.strip().splitlines():
                run_line(line)
        elif "asyncio.run" in filled:
            done = subprocess.run([sys.executable, "-c", filled], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "copied 1,100 rows of 2 tables" in done.stdout
        else:
            await run_block(filled, str(page), scope)


async def run_block(text, page, scope):
    code = compile(text, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waiting = eval(code, scope)
    if waiting is not None:
        await waiting


def run_line(line):
    command = shlex.split(line)
    assert command[0] == "fastload", line
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_error_is_in_the_reference():
    text = (ROOT / "docs" / "reference" / "errors.md").read_text()
    public = [n for n in fastload.__all__ if isinstance(getattr(fastload, n), type)]
    for name in public:
        if issubclass(getattr(fastload, name), fastload.FastloadError):
            assert name in text
