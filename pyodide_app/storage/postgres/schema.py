"""What a PostgreSQL server gets to run our statements: functions, search, copies.

Rule 1: tables of ours and of yours lie in one schema, and nothing else does. What
        SQLite has and PostgreSQL lacks lies in a second one, ``<schema>_sqlite``.
Rule 2: a migration has one number, name and checksum on both. Where SQLite's text
        cannot be translated, its like stands here, under the same version.
"""

from pyodide_app.storage.schema import MIGRATIONS, first_text

__all__ = ["COLLATIONS", "COMPATIBILITY", "DERIVED", "statements_for"]

COLLATIONS = ("pg_c_utf8", "C.utf8", "und-x-icu", "en_US.utf8", "default")
"""Of which one knows the letters of all scripts; the first that a server has."""

DERIVED = frozenset({"search_text", "message_search"})
"""Tables whose rows triggers make from others."""

# {schema}, {sqlite}: names, quoted. {collation}: one of the above.
COMPATIBILITY = r"""
CREATE FUNCTION {sqlite}.json_at(doc text, path text) RETURNS json
LANGUAGE sql IMMUTABLE STRICT AS $$
    -- PostgreSQL holds no NUL, so it is read as U+FFFD; what is stored stays.
    SELECT CASE WHEN strpos(doc, '\u0000') = 0 THEN doc ELSE
        regexp_replace(doc, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')
    END::json #> CASE WHEN path = '$' THEN '{{}}'::text[] ELSE
        string_to_array(regexp_replace(substr(path, 3), '\[(\d+)\]', '.\1', 'g'), '.')
    END
$$;
CREATE FUNCTION {sqlite}.json_valid(doc text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT doc IS JSON $$;
CREATE FUNCTION {sqlite}.json_type(doc text, path text DEFAULT '$') RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE json_typeof(value)
        WHEN 'string' THEN 'text'
        WHEN 'number' THEN
            CASE WHEN value::text ~ '[.eE]' THEN 'real' ELSE 'integer' END
        WHEN 'boolean' THEN value::text
        ELSE json_typeof(value)
    END FROM {sqlite}.json_at(doc, path) AS value
$$;
CREATE FUNCTION {sqlite}.json_extract(doc text, path text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN {sqlite}.json_at(doc, path) #>> '{{}}';
EXCEPTION WHEN untranslatable_character OR invalid_text_representation THEN
    RETURN NULL; -- half a surrogate pair, which is no text here
END
$$;
CREATE FUNCTION {sqlite}.json_part(doc text, path text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT {sqlite}.json_at(doc, path)::text $$;
CREATE OPERATOR {sqlite}.->> (
    LEFTARG = text, RIGHTARG = text, FUNCTION = {sqlite}.json_extract
);
CREATE OPERATOR {sqlite}.-> (
    LEFTARG = text, RIGHTARG = text, FUNCTION = {sqlite}.json_part
);
CREATE FUNCTION {sqlite}.date(seconds bigint, unit text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT to_char(to_timestamp(seconds) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
$$;
CREATE FUNCTION {sqlite}.quote(value text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(quote_literal(value), 'NULL') $$;
CREATE FUNCTION {sqlite}.quote(value bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(value::text, 'NULL') $$;

CREATE FUNCTION {sqlite}.search_plain(said text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT regexp_replace(
        lower(regexp_replace(normalize(said, NFD), '[\u0300-\u036f]', '', 'g')
            COLLATE "{collation}"),
        '[^[:alnum:]]+', ' ', 'g')
$$;
CREATE FUNCTION {sqlite}.search_words(said text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN to_tsvector('pg_catalog.simple', {sqlite}.search_plain(said));
EXCEPTION WHEN program_limit_exceeded THEN
    -- More different words than a tsvector holds; the first ones are found.
    RETURN to_tsvector('pg_catalog.simple', {sqlite}.search_plain(left(said, 100000)));
END
$$;
CREATE FUNCTION {sqlite}.search_query(term text, is_beginning boolean) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    asked tsquery := phraseto_tsquery('pg_catalog.simple', {sqlite}.search_plain(term));
BEGIN
    IF is_beginning AND numnode(asked) > 0 THEN
        RETURN (asked::text || ':*')::tsquery;
    END IF;
    RETURN asked;
END
$$;
-- The index is a generated column, so there is nothing to rebuild or optimize.
CREATE VIEW {sqlite}.message_search AS
    SELECT NULL::text AS message_search, 0 AS rank WHERE false;
CREATE RULE nothing AS ON INSERT TO {sqlite}.message_search DO INSTEAD NOTHING;

-- SQLite's next id follows the greatest one, also if that was given.
CREATE FUNCTION {sqlite}.follow_ids() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sequence text := pg_get_serial_sequence(
        format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), TG_ARGV[0]);
    given bigint;
    newest bigint;
BEGIN
    EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO given USING NEW;
    EXECUTE format('SELECT last_value FROM %s', sequence) INTO newest;
    IF given >= newest THEN
        PERFORM setval(sequence, given);
    END IF;
    RETURN NEW;
END
$$;

CREATE VIEW {sqlite}.sqlite_schema AS
    SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' ELSE 'index' END
        AS type, relname::text AS name
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = '{schema}' AND relkind IN ('r', 'v', 'i');
CREATE VIEW {sqlite}.pragma_page_size AS SELECT 8192 AS page_size;
CREATE VIEW {sqlite}.pragma_freelist_count AS SELECT 0 AS freelist_count;
CREATE VIEW {sqlite}.pragma_page_count AS
    SELECT (coalesce(sum(pg_total_relation_size(pg_class.oid)), 0) / 8192)::bigint
        AS page_count
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = '{schema}' AND relkind = 'r';

CREATE TABLE {sqlite}.restore_point (
    id         text PRIMARY KEY,
    reason     text NOT NULL,
    created_at bigint NOT NULL,
    size       bigint NOT NULL,
    image      bytea NOT NULL
);
ALTER TABLE {sqlite}.restore_point ALTER COLUMN image SET STORAGE EXTERNAL;
"""

_INDEX_EVENT = f"""
    INSERT INTO search_text (conversation_id, event_id, text)
    SELECT new.conversation_id, new.id, said.text
    FROM (SELECT {first_text("new.event_data")} AS text) AS said
    WHERE said.text <> '' AND new.event_type <> 'text_delta';
"""

_SEARCH = (
    """
CREATE TABLE search_text (
    docid           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    conversation_id TEXT COLLATE "C" NOT NULL,
    event_id        TEXT COLLATE "C" UNIQUE,
    text            TEXT NOT NULL,
    words           TSVECTOR GENERATED ALWAYS AS (search_words(text)) STORED
)
""",
    "CREATE UNIQUE INDEX idx_search_text_title "
    "ON search_text (conversation_id) WHERE event_id IS NULL",
    "CREATE INDEX idx_search_text_words ON search_text USING gin (words)",
    f"""
CREATE FUNCTION index_event() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_text WHERE event_id = old.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
{_INDEX_EVENT}
    END IF;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER conversation_events_search
AFTER INSERT OR DELETE OR UPDATE OF id, conversation_id, event_type, event_data
ON conversation_events FOR EACH ROW EXECUTE FUNCTION index_event()
""",
    """
CREATE FUNCTION index_title() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_text
        WHERE conversation_id = old.id AND event_id IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO search_text (conversation_id, event_id, text)
        SELECT new.id, NULL, json_extract(new.metadata, '$.title')
        WHERE json_type(new.metadata, '$.title') = 'text'
        AND json_extract(new.metadata, '$.title') <> '';
    END IF;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER conversations_search
AFTER INSERT OR DELETE OR UPDATE OF id, metadata
ON conversations FOR EACH ROW EXECUTE FUNCTION index_title()
""",
)

_INSTEAD = {MIGRATIONS[1].checksum: _SEARCH}


def statements_for(checksum: str) -> tuple[str, ...] | None:
    """Return what a migration runs instead here; None if it can be translated."""
    return _INSTEAD.get(checksum)
