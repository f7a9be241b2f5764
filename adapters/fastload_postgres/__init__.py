"""PostgreSQL for fastload, on asyncpg."""

from fastload_postgres.adapter import ADAPTER

__all__ = ["ADAPTER"]
