"""PostgreSQL as a second dialect: texts, schema and files. No connection here."""
