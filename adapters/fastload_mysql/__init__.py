"""MySQL and MariaDB for fastload, on aiomysql."""

from fastload_mysql.adapter import ADAPTER

__all__ = ["ADAPTER"]
