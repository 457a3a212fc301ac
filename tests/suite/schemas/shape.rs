//! What a schema is made of, a line each, in words that both engines have.

use std::collections::BTreeSet;

use crate::support::engine::Engine;

/// Each with a column `line`, of the tables that are not the engine's own.
const SQLITE: [&str; 4] = [
    "SELECT t.name || '.' || c.name || ' ' || lower(c.type) || iif(c.\"notnull\" OR c.pk, ' not null', '')
            || iif(c.pk, ' key ' || c.pk, '') || iif(c.dflt_value IS NULL, '', ' default')
     FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
    "SELECT t.name || '.' || k.\"from\" || ' refers to ' || k.\"table\" || '.' || k.\"to\" || ' on delete ' || lower(k.on_delete)
     FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) k WHERE t.type = 'table'",
    "SELECT iif(i.\"unique\", 'unique', i.name) || ' on ' || t.name || ' (' ||
            (SELECT group_concat(coalesce(c.name, 'lower'), ', ' ORDER BY c.seqno) FROM pragma_index_info(i.name) c) || ')' ||
            iif(i.partial, replace(substr(x.sql, instr(x.sql, ' WHERE ')), ' = 1', ''), '')
     FROM sqlite_schema t JOIN pragma_index_list(t.name) i JOIN sqlite_schema x ON x.name = i.name
     WHERE t.type = 'table' AND i.origin <> 'pk'",
    "SELECT 'trigger ' || name || ' on ' || tbl_name FROM sqlite_schema WHERE type = 'trigger'",
];

const POSTGRES: [&str; 5] = [
    "SELECT t.relname || '.' || c.attname || ' '
            || CASE format_type(c.atttypid, NULL) WHEN 'bigint' THEN 'integer' WHEN 'boolean' THEN 'integer'
                    WHEN 'bytea' THEN 'blob' WHEN 'uuid' THEN 'blob' ELSE format_type(c.atttypid, NULL) END
            || CASE WHEN c.attnotnull THEN ' not null' ELSE '' END
            || coalesce(' key ' || array_position(k.indkey::INT2[], c.attnum) + 1, '')
            || CASE WHEN c.atthasdef AND c.attgenerated = '' THEN ' default' ELSE '' END
     FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
     LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
     WHERE t.relnamespace = 'public'::REGNAMESPACE AND t.relkind = 'r'",
    "SELECT conrelid::REGCLASS || '.' || c.attname || ' refers to ' || confrelid::REGCLASS || '.' || r.attname || ' on delete '
            || CASE confdeltype WHEN 'a' THEN 'no action' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' ELSE confdeltype::TEXT END
     FROM pg_constraint k JOIN pg_attribute c ON c.attrelid = conrelid AND c.attnum = conkey[1]
     JOIN pg_attribute r ON r.attrelid = confrelid AND r.attnum = confkey[1] WHERE k.contype = 'f'",
    "SELECT CASE WHEN i.indisunique THEN 'unique' ELSE x.relname END || ' on ' || t.relname || ' ('
            || (SELECT string_agg(c.attname, ', ' ORDER BY c.attnum) FROM pg_attribute c WHERE c.attrelid = x.oid) || ')'
            || coalesce(' WHERE ' || pg_get_expr(i.indpred, i.indrelid, TRUE), '')
     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
     WHERE t.relnamespace = 'public'::REGNAMESPACE AND NOT i.indisprimary",
    "SELECT 'trigger ' || tgname || ' on ' || tgrelid::REGCLASS FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT 'function ' || proname FROM pg_proc f WHERE pronamespace = 'public'::REGNAMESPACE
     AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = f.oid AND deptype = 'e')",
];

/// What has one of these in its line is one engine's alone.
const OWN: [&str; 6] = [
    // The index of parts of words.
    " search_",
    // The transaction that a change was made in.
    "invalidations.txid",
    "invalidations_txid",
    // REPLACE, TRUNCATE, and functions for triggers are not in SQL of both.
    "_replaced",
    "_truncated",
    "function ",
];

pub async fn shape(engine: &mut Engine) -> BTreeSet<String> {
    let queries = match engine {
        Engine::Sqlite(_) => &SQLITE[..],
        Engine::Postgres(..) => &POSTGRES,
    };
    let mut shape = BTreeSet::new();
    for query in queries {
        shape.extend(engine.texts(query).await);
    }
    shape.retain(|line| !line.contains("_sqlx_migrations"));
    shape
}

pub fn is_shared(line: &str) -> bool {
    !line.starts_with("search_") && !OWN.iter().any(|own| line.contains(own))
}

/// Each table with its number of rows.
pub async fn rows(engine: &mut Engine) -> Vec<(String, String)> {
    let tables = match engine {
        Engine::Sqlite(_) => {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        Engine::Postgres(..) => "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'",
    };
    let mut rows = Vec::new();
    for table in engine.texts(tables).await {
        let count = engine
            .texts(&format!("SELECT '' || count(*) FROM {table}"))
            .await;
        rows.extend(count.into_iter().map(|count| (table.clone(), count)));
    }
    rows.retain(|(table, _)| table != "_sqlx_migrations");
    rows.sort();
    rows
}
