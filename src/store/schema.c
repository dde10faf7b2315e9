/* store/schema.c - the tables, format by format.
 *
 * documents  one row a document; chunks take the ids [first_chunk, first_chunk +
 *            n_chunks), which are never used again.  `lens` is u16[n_chunks]: terms
 *            in each chunk.
 * segments   parts of the full-text index, merged as they grow (postings.c);
 *            `doc` is set where a segment holds one document alone.
 * vectors    data f16[n, dim], unit length, in the order of the chunks; counts
 *            u16[n_chunks]: how many each chunk has; hashes u64[n]: of the text
 *            that each stands for.
 * runs       what is kept about an answer: hashes and references (flow's JSON).
 *            Since format 2 its words stand apart in run_texts, and run_docs says
 *            which documents they come from, so that they go with any of those. */
#include "store/state_int.h"

static const char format_1[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('generation',1),('next_chunk',1),('next_segment',1);"
    "CREATE TABLE collections(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE documents("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, doc_id TEXT NOT NULL UNIQUE,"
    " collection INTEGER NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL,"
    " settings TEXT NOT NULL, format TEXT NOT NULL, warning TEXT NOT NULL,"
    " n_bytes INTEGER NOT NULL, n_chars INTEGER NOT NULL, n_pages INTEGER NOT NULL,"
    " n_chunks INTEGER NOT NULL, first_chunk INTEGER NOT NULL, lens BLOB NOT NULL,"
    " added_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL);"
    "CREATE INDEX documents_hash ON documents(hash);"
    "CREATE INDEX documents_collection ON documents(collection, source);"
    "CREATE INDEX documents_chunks ON documents(first_chunk);"
    "CREATE TABLE originals(doc INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE texts(doc INTEGER PRIMARY KEY, text BLOB NOT NULL);"
    "CREATE TABLE blocks(doc INTEGER, n INTEGER, type INTEGER, level INTEGER, page INTEGER,"
    " x0 REAL, y0 REAL, x1 REAL, y1 REAL, start INTEGER, end INTEGER, cells BLOB,"
    " PRIMARY KEY(doc, n)) WITHOUT ROWID;"
    "CREATE TABLE lines(doc INTEGER, n INTEGER, start INTEGER, end INTEGER, page INTEGER,"
    " x0 REAL, y0 REAL, x1 REAL, y1 REAL, PRIMARY KEY(doc, page, n)) WITHOUT ROWID;"
    "CREATE TABLE pages(doc INTEGER, n INTEGER, width REAL, height REAL, scanned INTEGER,"
    " PRIMARY KEY(doc, n)) WITHOUT ROWID;"
    "CREATE TABLE chunks(id INTEGER PRIMARY KEY, start INTEGER, end INTEGER,"
    " byte_start INTEGER, byte_end INTEGER, page INTEGER, section INTEGER,"
    " heading TEXT);"
    "CREATE TABLE vectors(doc INTEGER PRIMARY KEY, model TEXT NOT NULL, dim INTEGER NOT NULL,"
    " counts BLOB NOT NULL, hashes BLOB NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE segments(id INTEGER PRIMARY KEY, doc INTEGER, n_postings INTEGER NOT NULL,"
    " min_chunk INTEGER NOT NULL, max_chunk INTEGER NOT NULL);"
    "CREATE TABLE postings(segment INTEGER, term INTEGER, data BLOB NOT NULL,"
    " PRIMARY KEY(segment, term)) WITHOUT ROWID;"
    "CREATE TABLE jobs(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " kind TEXT NOT NULL, person TEXT NOT NULL, args TEXT NOT NULL, state INTEGER NOT NULL,"
    " stage TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,"
    " total INTEGER NOT NULL DEFAULT 0, result TEXT NOT NULL DEFAULT '',"
    " error TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX jobs_state ON jobs(state, n);"
    "CREATE TABLE runs(id TEXT PRIMARY KEY, person TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " record TEXT NOT NULL) WITHOUT ROWID;";

static const char format_2[] =
    "CREATE TABLE run_texts(id TEXT PRIMARY KEY, texts TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE run_docs(doc_id TEXT, run TEXT, PRIMARY KEY(doc_id, run)) WITHOUT ROWID;"
    "CREATE INDEX runs_person ON runs(person, created_ms);";

lf_status lf_schema_update(lf_db *db, int64_t version, lf_err *err)
{
    lf_status st = LF_OK;
    if (version < 1)
        st = lf_db_exec(db, format_1, err);
    if (st == LF_OK && version < 2)
        st = lf_db_exec(db, format_2, err);
    return st;
}
