"""What PostgreSQL's catalogues call its spellings."""

DIALECT = "postgres"
