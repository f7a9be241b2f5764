"""The set-based queries behind the catalogue; ``$1`` is an array of table oids throughout.

Sessions have ``search_path = pg_catalog``, so every name these return is qualified. Columns that
newer servers have come in through ``for_version``.
"""

from __future__ import annotations

_SYSTEM = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_fastload')"
_NOT_IN_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass "
    "AND e.objid = {oid} AND e.deptype = 'e')"
)


def _no_extension(catalog: str, oid: str) -> str:
    return _NOT_IN_EXTENSION.format(catalog=catalog, oid=oid)


RELATIONS = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       c.relispartition AS is_partition, current_user AS role,
       has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT') AS readable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND {_SYSTEM}
  AND {_no_extension("pg_class", "c.oid")}
ORDER BY 2, 3"""

_TREE = """
WITH RECURSIVE tree AS (
    SELECT o AS root, o AS member FROM unnest($1::oid[]) AS o
    UNION ALL
    SELECT t.root, i.inhrelid FROM tree t
    JOIN pg_class p ON p.oid = t.member AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = t.member)"""

TABLES = f"""{_TREE}, size AS (
    SELECT t.root, sum(greatest(c.reltuples, -1)) FILTER (WHERE c.relkind = 'r') AS rows,
           bool_or(c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0)) AS unknown,
           sum(pg_relation_size(t.member)) FILTER (WHERE c.relkind = 'r') AS bytes,
           sum(pg_table_size(t.member)) FILTER (WHERE c.relkind = 'r') AS total_bytes
    FROM tree t JOIN pg_class c ON c.oid = t.member GROUP BY 1)
SELECT c.oid, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       obj_description(c.oid, 'pg_class') AS comment,
       array_to_string(c.reloptions, ', ') AS options,
       s.rows::float8 AS rows, s.unknown, coalesce(s.bytes, 0)::int8 AS bytes,
       coalesce(s.total_bytes, 0)::int8 AS total_bytes,
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) AS inherits,
       c.relrowsecurity AS row_security,
       c.relreplident::text AS identity
FROM pg_class c JOIN size s ON s.root = c.oid"""

_DOMAINS = """
WITH RECURSIVE chain AS (
    SELECT oid AS domain, typbasetype AS base, typtypmod AS typmod
    FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT c.domain, t.typbasetype, CASE WHEN c.typmod < 0 THEN t.typtypmod ELSE c.typmod END
    FROM chain c JOIN pg_type t ON t.oid = c.base AND t.typtype = 'd'),
domains AS (
    SELECT c.domain, c.base, c.typmod FROM chain c
    JOIN pg_type t ON t.oid = c.base AND t.typtype <> 'd')"""

COLUMNS = f"""{_DOMAINS}
SELECT a.attrelid AS oid, a.attnum, a.attname AS name,
       format_type(b.oid, coalesce(d.typmod, a.atttypmod)) AS type,
       b.oid AS base, b.typname AS base_name, b.typtype::text AS kind,
       coalesce(d.typmod, a.atttypmod) AS typmod,
       CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE 0 END::int8 AS element,
       coalesce(x.typtype::text, '') AS element_kind,
       b.typsend <> 0 AND b.typreceive <> 0 AS binary,
       CASE WHEN d.domain IS NOT NULL THEN format_type(d.domain, NULL) END AS domain,
       a.attnotnull OR coalesce(o.typnotnull, false) AS not_null,
       CASE WHEN b.oid IN (1042, 1043) AND coalesce(d.typmod, a.atttypmod) >= 4
            THEN coalesce(d.typmod, a.atttypmod) - 4 END AS length,
       CASE WHEN b.typtype = 'e' THEN
            (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
             WHERE e.enumtypid = b.oid) END AS labels,
       {{identity}} AS identity, {{generated}} AS generated,
       pg_get_expr(f.adbin, f.adrelid) AS default,
       CASE WHEN a.attcollation <> t.typcollation
            THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END AS collation,
       CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
       {{compression}} AS compression,
       col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN domains d ON d.domain = a.atttypid
LEFT JOIN pg_type o ON o.oid = d.domain
JOIN pg_type b ON b.oid = coalesce(d.base, a.atttypid)
LEFT JOIN pg_type x ON x.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"""

_INDEX_TAIL = """
substr(pg_get_indexdef(i.indexrelid),
       length('CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX '
              || quote_ident(ic.relname) || ' ON ' || CASE WHEN c.relkind = 'p' THEN 'ONLY ' ELSE ''
              END || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ') + 1)"""

INDEXES = f"""
SELECT i.indrelid AS oid, ic.relname AS name, i.indisunique AS unique, i.indisvalid AS valid,
       {_INDEX_TAIL} AS definition, obj_description(ic.oid, 'pg_class') AS comment,
       i.indisreplident AS replica_identity, i.indisclustered AS clustered,
       i.indexprs IS NOT NULL AS expression, m.amname AS method,
       pg_get_expr(i.indpred, i.indrelid) AS condition, p.column_names, p.expressions, p.descending
FROM pg_index i
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k) AS column_names,
           array_agg(pg_get_indexdef(i.indexrelid, k, true) ORDER BY k) AS expressions,
           array_agg(coalesce(i.indoption[k - 1], 0)::int & 1 = 1 ORDER BY k) AS descending
    FROM generate_series(1, {{keys}}) AS k
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = nullif(i.indkey[k - 1], 0)
) p
JOIN pg_class ic ON ic.oid = i.indexrelid
JOIN pg_am m ON m.oid = ic.relam
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = ANY ($1::oid[])
  AND NOT EXISTS (SELECT FROM pg_constraint k
                  WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.indrelid, ic.relname"""

CONSTRAINTS = f"""
SELECT k.conrelid AS oid, k.conname AS name, k.contype::text AS kind,
       pg_get_constraintdef(k.oid) AS definition, k.condeferrable AS deferrable,
       k.condeferred AS deferred, k.convalidated AS validated,
       (SELECT array_agg(a.attname::text ORDER BY u.n)
        FROM unnest(k.conkey) WITH ORDINALITY u (num, n)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num) AS columns,
       rn.nspname AS ref_schema, rc.relname AS ref_name,
       (SELECT array_agg(a.attname::text ORDER BY u.n)
        FROM unnest(k.confkey) WITH ORDINALITY u (num, n)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num) AS ref_columns,
       k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete,
       k.confmatchtype::text AS match,
       CASE WHEN k.contype IN ('p', 'u') AND i.indexrelid IS NOT NULL
            THEN {_INDEX_TAIL} END AS tail,
       (SELECT array_agg(a.attname::text ORDER BY u.n)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY u (num, n)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
        WHERE k.contype IN ('p', 'u') AND u.n > {{keys}}) AS include,
       obj_description(k.oid, 'pg_constraint') AS comment,
       i.indisreplident AS replica_identity, i.indisexclusion AS exclusion
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN pg_class rc ON rc.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = rc.relnamespace
WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'x', 'c', 'f') AND {{own}}
ORDER BY k.conrelid, k.conname"""

SEQUENCES = f"""
SELECT n.nspname AS schema, c.relname AS name, format_type(s.seqtypid, NULL) AS type,
       s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS minimum,
       s.seqmax AS maximum, s.seqcache AS cache, s.seqcycle AS cycle,
       tn.nspname AS owner_schema, t.relname AS owner_table, a.attname AS owner_column,
       d.deptype::text AS dependency, obj_description(c.oid, 'pg_class') AS comment,
       has_sequence_privilege(c.oid, 'SELECT') AS readable
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
     AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE c.relpersistence <> 't' AND {_no_extension("pg_class", "c.oid")}
  AND (t.oid = ANY ($1::oid[])
       OR EXISTS (SELECT FROM pg_depend u JOIN pg_attrdef f ON f.oid = u.objid
                  WHERE u.classid = 'pg_attrdef'::regclass AND u.refobjid = c.oid
                    AND f.adrelid = ANY ($1::oid[]))
       OR (t.oid IS NULL AND n.nspname = ANY ($2::text[])))
ORDER BY 1, 2"""

ENUMS = f"""
SELECT n.nspname AS schema, t.typname AS name, obj_description(t.oid, 'pg_type') AS comment,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
        WHERE e.enumtypid = t.oid) AS labels
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND {_no_extension("pg_type", "t.oid")}
  AND (n.nspname = ANY ($2::text[])
       OR t.oid IN (SELECT coalesce(nullif(ty.typelem, 0), ty.oid) FROM pg_attribute a
                    JOIN pg_type ty ON ty.oid = a.atttypid
                    WHERE a.attrelid = ANY ($1::oid[]) AND NOT a.attisdropped)
       OR t.oid IN (SELECT coalesce(nullif(b.typelem, 0), b.oid) FROM pg_attribute a
                    JOIN pg_type ty ON ty.oid = a.atttypid AND ty.typtype = 'd'
                    JOIN pg_type b ON b.oid = ty.typbasetype
                    WHERE a.attrelid = ANY ($1::oid[]) AND NOT a.attisdropped))
ORDER BY 1, 2"""

CORRELATIONS = """
SELECT i.indrelid AS oid, s.correlation::float8 AS correlation
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE i.indisprimary AND i.indrelid = ANY ($1::oid[]) AND NOT s.inherited"""

SIGNATURES = """
SELECT c.oid, coalesce(string_agg(concat_ws(':', a.attnum, quote_ident(a.attname), a.atttypid,
       a.atttypmod, a.attnotnull), ',' ORDER BY a.attnum), '') AS signature
FROM pg_class c
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY ($1::oid[])
GROUP BY 1"""

FILENODES = f"""{_TREE}
SELECT t.root AS oid,
       string_agg(coalesce(c.relfilenode, 0)::text, ',' ORDER BY t.member) AS seen,
       string_agg(coalesce(pg_relation_filenode(t.member), 0)::text, ',' ORDER BY t.member) AS now
FROM tree t LEFT JOIN pg_class c ON c.oid = t.member GROUP BY 1"""

# Objects of whole schemas that have no form in the model: kind, name, reason.
LEFT_BEHIND = f"""
SELECT kind, name, reason FROM (
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view'
            WHEN 'f' THEN 'foreign table' ELSE 'composite type' END AS kind,
       n.nspname || '.' || c.relname AS name,
       'definitions are not carried yet' AS reason, n.nspname AS schema
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'f', 'c') AND {_no_extension("pg_class", "c.oid")}
  AND (c.relkind <> 'c' OR {_no_extension("pg_type", "c.reltype")})
UNION ALL
SELECT 'function', n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid)
       || ')', 'definitions are not carried yet', n.nspname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_no_extension("pg_proc", "p.oid")}
UNION ALL
SELECT 'domain', n.nspname || '.' || t.typname,
       'its columns get the base type; its checks are not carried', n.nspname
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND {_no_extension("pg_type", "t.oid")}
UNION ALL
SELECT 'range type', n.nspname || '.' || t.typname, 'definitions are not carried yet', n.nspname
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'r' AND {_no_extension("pg_type", "t.oid")}
) objects
WHERE schema = ANY ($1::text[]) ORDER BY 1, 2"""

LEFT_BEHIND_OF_TABLES = """
SELECT kind, name, reason FROM (
SELECT 'trigger' AS kind, n.nspname || '.' || c.relname || '.' || t.tgname AS name,
       'definitions are not carried yet' AS reason
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND c.oid = ANY ($1::oid[])
UNION ALL
SELECT 'rule', n.nspname || '.' || c.relname || '.' || r.rulename,
       'definitions are not carried yet'
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[]) AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', n.nspname || '.' || c.relname || '.' || p.polname,
       'definitions are not carried yet'
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[])
UNION ALL
SELECT 'grants', n.nspname || '.' || c.relname, 'owner and rights are those of the target user'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[]) AND c.relacl IS NOT NULL
UNION ALL
SELECT 'statistics object', n.nspname || '.' || s.stxname, 'definitions are not carried yet'
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE s.stxrelid = ANY ($1::oid[])
) objects ORDER BY 1, 2"""

LEFT_BEHIND_OF_DATABASE = """
SELECT 'extension' AS kind, extname::text AS name, 'create it on the target first' AS reason
FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT 'event trigger', evtname, 'definitions are not carried yet' FROM pg_event_trigger
UNION ALL SELECT 'publication', pubname, 'belongs to the server' FROM pg_publication
ORDER BY 1, 2"""


def for_version(query: str, version: int) -> str:
    """Fill in what depends on the server's major version."""
    return query.format(
        identity="nullif(a.attidentity::text, '')",
        generated="nullif(a.attgenerated::text, '')" if version >= 12 else "NULL::text",
        compression="nullif(a.attcompression::text, '')" if version >= 14 else "NULL::text",
        keys="i.indnkeyatts" if version >= 11 else "i.indnatts",
        own="k.conparentid = 0" if version >= 11 else "true",
    )
