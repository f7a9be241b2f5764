"""Two schemas of MySQL's family with rows, as applications have them: a film rental and a staff.

``RENTAL.load(server, database, scale)`` makes one with some thousand rows times the scale.
"""

from __future__ import annotations

from fastload.testing.mysql_rental import RENTAL
from fastload.testing.mysql_staff import STAFF

SCHEMAS = (RENTAL, STAFF)

__all__ = ["RENTAL", "SCHEMAS", "STAFF"]
