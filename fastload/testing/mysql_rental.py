"""A film rental's schema: unsigned keys, enum, set, year, geometry, and references in a circle."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Iterator
from decimal import Decimal

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

_NEW_YEAR = datetime.datetime(2005, 1, 1)
_FEATURES = ("trailer", "commentary", "outtakes", "making of")
_RATINGS = ("G", "PG", "PG-13", "R", "NC-17")


def _moment(*numbers: int) -> datetime.datetime:
    return _NEW_YEAR + datetime.timedelta(seconds=mixed(*numbers) % 31_536_000)


def _point(*numbers: int) -> bytes:
    """Return a point as the server keeps it: the reference system, then WKB."""
    x, y = (mixed(*numbers, i) % 36_000 / 100 - 180 for i in range(2))
    return struct.pack("<IBIdd", 0, 1, 1, x, y)


def _films(scale: float) -> Iterator[Row]:
    for i in count(200, scale):
        words = [WORDS[mixed(i, n) % len(WORDS)] for n in range(6)]
        features = [f for n, f in enumerate(_FEATURES) if mixed(i, 9, n) % 2]
        original = None if i < 10 or i % 9 else i - 7
        yield (
            i, " ".join(words[:2]) + f" {i}", None if i % 11 == 0 else " ".join(words),
            None if i % 13 == 0 else 1901 + mixed(i) % 120, 1 + i % 4, original, 3 + i % 5,
            Decimal(99 + 100 * (i % 5)).scaleb(-2), None if i % 17 == 0 else 46 + i % 140,
            _RATINGS[mixed(i, 1) % 5], ",".join(features) if i % 7 else None,
        )  # fmt: skip


def _actors(scale: float) -> Iterator[Row]:
    for i in count(60, scale):
        yield i, FIRST_NAMES[mixed(i, 5) % 10], LAST_NAMES[mixed(i, 6) % 9]


def _casts(scale: float) -> Iterator[Row]:
    actors = len(count(60, scale))
    for film in count(200, scale):
        for actor in sorted({1 + mixed(film, n) % actors for n in range(4)}):
            yield actor, film


def _addresses(scale: float) -> Iterator[Row]:
    for i in count(120, scale):
        street = f"{i} {WORDS[i % 10]} street"
        yield (
            i,
            street,
            None if i % 5 else "",
            LAST_NAMES[i % 9],
            f"{mixed(i) % 10**5:05}",
            _point(i),
        )


def _customers(scale: float) -> Iterator[Row]:
    for i in count(100, scale):
        first, last = FIRST_NAMES[mixed(i) % 10], LAST_NAMES[mixed(i, 1) % 9]
        mail = None if i % 10 == 0 else f"customer{i}@example.org"
        yield i, 1 + i % 2, first, last, mail, i, i % 12 != 0, _moment(i, 2)


def _rentals(scale: float) -> Iterator[Row]:
    customers, copies = len(count(100, scale)), len(count(600, scale))
    for i in count(1500, scale):
        taken = _NEW_YEAR + datetime.timedelta(minutes=7 * i)
        back = None if i % 20 == 0 else taken + datetime.timedelta(hours=mixed(i) % 200)
        yield i, taken, 1 + mixed(i, 1) % copies, 1 + mixed(i, 2) % customers, back, 1 + i % 2


def _payments(scale: float) -> Iterator[Row]:
    customers = len(count(100, scale))
    for i in count(1500, scale):
        amount = Decimal(mixed(i, 3) % 1200).scaleb(-2)
        paid = _NEW_YEAR + datetime.timedelta(minutes=7 * i, microseconds=mixed(i) % 10**6)
        rental = None if i % 100 == 0 else i
        yield i, 1 + mixed(i, 2) % customers, 1 + i % 2, rental, amount, paid


def _staff_rows(scale: float) -> Iterator[Row]:
    picture = bytes(range(256)) * 20
    yield 1, "Inès", "Novák", 1, picture, 1, "ines", "not a password"
    yield 2, "Yun", "李", 2, None, 2, "yun", None


_STAMP = "last_update timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"

RENTAL = SampleSchema(
    "rental",
    (
        SampleTable(
            "language",
            f"""CREATE TABLE language (
  language_id tinyint unsigned NOT NULL AUTO_INCREMENT, name char(20) NOT NULL, {_STAMP},
  PRIMARY KEY (language_id))""",
            ("language_id", "name"),
            lambda _: iter([(1, "English"), (2, "Français"), (3, "日本語"), (4, "Русский")]),
        ),
        SampleTable(
            "actor",
            f"""CREATE TABLE actor (
  actor_id smallint unsigned NOT NULL AUTO_INCREMENT, first_name varchar(45) NOT NULL,
  last_name varchar(45) NOT NULL, {_STAMP},
  PRIMARY KEY (actor_id), KEY by_last_name (last_name))""",
            ("actor_id", "first_name", "last_name"),
            _actors,
        ),
        SampleTable(
            "film",
            f"""CREATE TABLE film (
  film_id smallint unsigned NOT NULL AUTO_INCREMENT, title varchar(128) NOT NULL,
  description text, release_year year, language_id tinyint unsigned NOT NULL,
  remake_of smallint unsigned, rental_days tinyint unsigned NOT NULL DEFAULT 3,
  rental_rate decimal(4,2) NOT NULL DEFAULT 4.99, minutes smallint unsigned,
  rating enum('G','PG','PG-13','R','NC-17') DEFAULT 'G',
  features set('trailer','commentary','outtakes','making of'), {_STAMP},
  PRIMARY KEY (film_id), KEY by_title (title), FULLTEXT KEY by_words (title, description),
  CONSTRAINT film_language FOREIGN KEY (language_id) REFERENCES language (language_id)
    ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT film_remake FOREIGN KEY (remake_of) REFERENCES film (film_id) ON DELETE SET NULL)""",
            ("film_id", "title", "description", "release_year", "language_id", "remake_of",
             "rental_days", "rental_rate", "minutes", "rating", "features"),
            _films,
        ),
        SampleTable(
            "film_actor",
            f"""CREATE TABLE film_actor (
  actor_id smallint unsigned NOT NULL, film_id smallint unsigned NOT NULL, {_STAMP},
  PRIMARY KEY (actor_id, film_id), KEY by_film (film_id),
  CONSTRAINT cast_actor FOREIGN KEY (actor_id) REFERENCES actor (actor_id) ON UPDATE CASCADE,
  CONSTRAINT cast_film FOREIGN KEY (film_id) REFERENCES film (film_id) ON DELETE CASCADE)""",
            ("actor_id", "film_id"),
            _casts,
        ),
        SampleTable(
            "address",
            f"""CREATE TABLE address (
  address_id smallint unsigned NOT NULL AUTO_INCREMENT, address varchar(50) NOT NULL,
  address2 varchar(50) DEFAULT NULL, district varchar(20) NOT NULL, postal_code varchar(10),
  location geometry NOT NULL, {_STAMP},
  PRIMARY KEY (address_id), SPATIAL KEY by_place (location))""",
            ("address_id", "address", "address2", "district", "postal_code", "location"),
            _addresses,
        ),
        SampleTable(
            "store",
            f"""CREATE TABLE store (
  store_id tinyint unsigned NOT NULL AUTO_INCREMENT, manager_id tinyint unsigned NOT NULL,
  address_id smallint unsigned NOT NULL, {_STAMP},
  PRIMARY KEY (store_id), UNIQUE KEY one_manager (manager_id),
  CONSTRAINT store_manager FOREIGN KEY (manager_id) REFERENCES staff (staff_id),
  CONSTRAINT store_address FOREIGN KEY (address_id) REFERENCES address (address_id))""",
            ("store_id", "manager_id", "address_id"),
            lambda _: iter([(1, 1, 1), (2, 2, 2)]),
        ),
        SampleTable(
            "staff",
            f"""CREATE TABLE staff (
  staff_id tinyint unsigned NOT NULL AUTO_INCREMENT, first_name varchar(45) NOT NULL,
  last_name varchar(45) NOT NULL, address_id smallint unsigned NOT NULL, picture blob,
  store_id tinyint unsigned NOT NULL, active tinyint(1) NOT NULL DEFAULT 1,
  username varchar(16) NOT NULL, password varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  {_STAMP},
  PRIMARY KEY (staff_id),
  CONSTRAINT staff_store FOREIGN KEY (store_id) REFERENCES store (store_id),
  CONSTRAINT staff_address FOREIGN KEY (address_id) REFERENCES address (address_id))""",
            ("staff_id", "first_name", "last_name", "address_id", "picture", "store_id",
             "username", "password"),
            _staff_rows,
        ),
        SampleTable(
            "customer",
            f"""CREATE TABLE customer (
  customer_id smallint unsigned NOT NULL AUTO_INCREMENT, store_id tinyint unsigned NOT NULL,
  first_name varchar(45) NOT NULL, last_name varchar(45) NOT NULL, email varchar(50),
  address_id smallint unsigned NOT NULL, active tinyint(1) NOT NULL DEFAULT 1,
  create_date datetime NOT NULL, {_STAMP},
  PRIMARY KEY (customer_id), UNIQUE KEY one_email (email), KEY by_name (last_name(5), first_name),
  CONSTRAINT customer_store FOREIGN KEY (store_id) REFERENCES store (store_id),
  CONSTRAINT customer_address FOREIGN KEY (address_id) REFERENCES address (address_id))""",
            ("customer_id", "store_id", "first_name", "last_name", "email", "address_id",
             "active", "create_date"),
            _customers,
        ),
        SampleTable(
            "inventory",
            f"""CREATE TABLE inventory (
  inventory_id mediumint unsigned NOT NULL AUTO_INCREMENT, film_id smallint unsigned NOT NULL,
  store_id tinyint unsigned NOT NULL, {_STAMP},
  PRIMARY KEY (inventory_id), KEY by_store_and_film (store_id, film_id),
  CONSTRAINT copy_film FOREIGN KEY (film_id) REFERENCES film (film_id),
  CONSTRAINT copy_store FOREIGN KEY (store_id) REFERENCES store (store_id))""",
            ("inventory_id", "film_id", "store_id"),
            lambda scale: (
                (i, 1 + mixed(i) % len(count(200, scale)), 1 + i % 2)
                for i in count(600, scale)
            ),
        ),
        SampleTable(
            "rental",
            f"""CREATE TABLE rental (
  rental_id int NOT NULL AUTO_INCREMENT, rental_date datetime NOT NULL,
  inventory_id mediumint unsigned NOT NULL, customer_id smallint unsigned NOT NULL,
  return_date datetime, staff_id tinyint unsigned NOT NULL, {_STAMP},
  PRIMARY KEY (rental_id), UNIQUE KEY once (rental_date, inventory_id, customer_id),
  CONSTRAINT rental_copy FOREIGN KEY (inventory_id) REFERENCES inventory (inventory_id),
  CONSTRAINT rental_customer FOREIGN KEY (customer_id) REFERENCES customer (customer_id),
  CONSTRAINT rental_staff FOREIGN KEY (staff_id) REFERENCES staff (staff_id))""",
            ("rental_id", "rental_date", "inventory_id", "customer_id", "return_date", "staff_id"),
            _rentals,
        ),
        SampleTable(
            "payment",
            f"""CREATE TABLE payment (
  payment_id int unsigned NOT NULL AUTO_INCREMENT, customer_id smallint unsigned NOT NULL,
  staff_id tinyint unsigned NOT NULL, rental_id int, amount decimal(5,2) NOT NULL,
  payment_date datetime(6) NOT NULL, {_STAMP},
  PRIMARY KEY (payment_id),
  CONSTRAINT payment_rental FOREIGN KEY (rental_id) REFERENCES rental (rental_id)
    ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT payment_customer FOREIGN KEY (customer_id) REFERENCES customer (customer_id),
  CONSTRAINT payment_staff FOREIGN KEY (staff_id) REFERENCES staff (staff_id))""",
            ("payment_id", "customer_id", "staff_id", "rental_id", "amount", "payment_date"),
            _payments,
        ),
    ),
    (
        "CREATE VIEW customer_list AS SELECT customer_id, first_name, last_name FROM customer",
        """CREATE TRIGGER rental_date_set BEFORE INSERT ON rental FOR EACH ROW
  SET NEW.rental_date = COALESCE(NEW.rental_date, NOW())""",
        """CREATE FUNCTION copies_of (film int) RETURNS int READS SQL DATA
  RETURN (SELECT COUNT(*) FROM inventory WHERE film_id = film)""",
    ),
)  # fmt: skip
