"""The reference adapter: databases that live in this process, for tests without servers.

``memory://name`` names one; the same name is the same database until ``forget`` drops it. Rows
are Arrow tables, types are Arrow's, and everything that ``fastload.adapter`` asks for is done in
the plainest way that keeps its promises.
"""

from fastload.testing.memory.adapter import ADAPTER
from fastload.testing.memory.database import MemoryDatabase, StoredTable, database, forget

__all__ = ["ADAPTER", "MemoryDatabase", "StoredTable", "database", "forget"]
