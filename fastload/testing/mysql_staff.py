"""A staff's schema: keys of several columns, dates without an end, and bosses above bosses."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from fastload.testing.sample_schemas import (
    FIRST_NAMES,
    LAST_NAMES,
    WORDS,
    Row,
    SampleSchema,
    SampleTable,
    count,
    mixed,
)

_FOR_EVER = datetime.date(9999, 1, 1)


def _employees(scale: float) -> Iterator[Row]:
    for i in count(300, scale):
        born = datetime.date(1952, 2, 1) + datetime.timedelta(days=mixed(i) % 4700)
        hired = datetime.date(1985, 1, 1) + datetime.timedelta(days=mixed(i, 1) % 5500)
        boss = None if i == 1 else 10_000 + i // 8 + (i < 8)
        first, last = FIRST_NAMES[mixed(i, 2) % 10], LAST_NAMES[mixed(i, 3) % 9]
        yield 10_000 + i, born, first, last, "MF"[mixed(i, 4) % 2], hired, boss


def _posts(scale: float) -> Iterator[Row]:
    for i in count(300, scale):
        begin = datetime.date(1990, 1, 1) + datetime.timedelta(days=mixed(i, 5) % 3000)
        first = mixed(i, 6) % 9
        if i % 10 == 0:
            end = begin + datetime.timedelta(days=400)
            yield 10_000 + i, f"d{(first + 1) % 9 + 1:03}", begin, end
        yield 10_000 + i, f"d{first + 1:03}", begin, _FOR_EVER


def _titles(scale: float) -> Iterator[Row]:
    names = ("Welder", "Senior Welder", "Clerk", "Foreman", "Director")
    for i in count(300, scale):
        begin = datetime.date(1990, 1, 1) + datetime.timedelta(days=mixed(i, 7) % 3000)
        later = begin + datetime.timedelta(days=2000)
        yield 10_000 + i, names[i % 4], begin, later if i % 2 else None
        if i % 2:
            yield 10_000 + i, names[i % 4 + 1], later, _FOR_EVER


def _salaries(scale: float) -> Iterator[Row]:
    for i in count(300, scale):
        begin = datetime.date(1988, 1, 1) + datetime.timedelta(days=mixed(i, 8) % 3000)
        years = 3 + mixed(i, 9) % 12
        for year in range(years):
            start = begin + datetime.timedelta(days=365 * year)
            end = _FOR_EVER if year == years - 1 else start + datetime.timedelta(days=365)
            yield 10_000 + i, 38_000 + mixed(i) % 40_000 + 1500 * year, start, end


STAFF = SampleSchema(
    "staff",
    (
        SampleTable(
            "employees",
            """CREATE TABLE employees (
  emp_no int NOT NULL, birth_date date NOT NULL, first_name varchar(14) NOT NULL,
  last_name varchar(16) NOT NULL, gender enum('M','F') NOT NULL, hire_date date NOT NULL,
  boss int, PRIMARY KEY (emp_no),
  CONSTRAINT employees_boss FOREIGN KEY (boss) REFERENCES employees (emp_no))""",
            ("emp_no", "birth_date", "first_name", "last_name", "gender", "hire_date", "boss"),
            _employees,
        ),
        SampleTable(
            "departments",
            """CREATE TABLE departments (
  dept_no char(4) NOT NULL, dept_name varchar(40) NOT NULL,
  PRIMARY KEY (dept_no), UNIQUE KEY dept_name (dept_name))""",
            ("dept_no", "dept_name"),
            lambda _: ((f"d{i:03}", f"{WORDS[i]} department") for i in range(1, 10)),
        ),
        SampleTable(
            "dept_emp",
            """CREATE TABLE dept_emp (
  emp_no int NOT NULL, dept_no char(4) NOT NULL, from_date date NOT NULL, to_date date NOT NULL,
  PRIMARY KEY (emp_no, dept_no), KEY dept_no (dept_no),
  CONSTRAINT post_employee FOREIGN KEY (emp_no) REFERENCES employees (emp_no) ON DELETE CASCADE,
  CONSTRAINT post_department FOREIGN KEY (dept_no) REFERENCES departments (dept_no)
    ON DELETE CASCADE)""",
            ("emp_no", "dept_no", "from_date", "to_date"),
            _posts,
        ),
        SampleTable(
            "titles",
            """CREATE TABLE titles (
  emp_no int NOT NULL, title varchar(50) NOT NULL, from_date date NOT NULL, to_date date,
  PRIMARY KEY (emp_no, title, from_date),
  CONSTRAINT title_employee FOREIGN KEY (emp_no) REFERENCES employees (emp_no)
    ON DELETE CASCADE)""",
            ("emp_no", "title", "from_date", "to_date"),
            _titles,
        ),
        SampleTable(
            "salaries",
            """CREATE TABLE salaries (
  emp_no int NOT NULL, salary int NOT NULL, from_date date NOT NULL, to_date date NOT NULL,
  PRIMARY KEY (emp_no, from_date),
  CONSTRAINT salary_employee FOREIGN KEY (emp_no) REFERENCES employees (emp_no)
    ON DELETE CASCADE)""",
            ("emp_no", "salary", "from_date", "to_date"),
            _salaries,
        ),
    ),
    (
        """CREATE VIEW current_posts AS SELECT emp_no, dept_no FROM dept_emp
  WHERE to_date = '9999-01-01'""",
    ),
)  # fmt: skip
