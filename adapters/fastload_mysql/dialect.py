"""What catalogues of MySQL and MariaDB call their spellings; both are one dialect."""

DIALECT = "mysql"
