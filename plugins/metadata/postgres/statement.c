/* SPDX-License-Identifier: MIT */
#include "statement.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fixed[S_SCAN_LISTING] = {
	/* Not READ WRITE: a primary that was told to take no changes any more must be obeyed. */
	[S_BEGIN] = "BEGIN ISOLATION LEVEL SERIALIZABLE",
	[S_BEGIN_READ] = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
	[S_COMMIT] = "COMMIT",
	[S_ROLLBACK] = "ROLLBACK",
	[S_DURABLE] = "SELECT set_config('synchronous_commit', 'on', true)",
	/* number is NOT NULL: who was superseded fails, and its transaction with it. */
	[S_SLOT] = "INSERT INTO commit_slots AS c (instance, slot, number)"
		   " VALUES ($1::uuid, $2::int4, $3::int8)"
		   " ON CONFLICT (instance, slot) DO UPDATE SET touched = now(), number ="
		   " CASE WHEN c.number < excluded.number THEN excluded.number END",
	[S_FENCE] = "SELECT 1 / count(*) FROM shares WHERE id = $1::int8 AND epoch = $2::int8",
	/* The message is a record in the log, so the commit has something to wait for. */
	[S_SYNC] = "SELECT set_config('synchronous_commit', 'on', true),"
		   " pg_logical_emit_message(true, 'dittofs', '')",
	[S_PING] = "SELECT 1",
	[S_STATS] = "SELECT reltuples::int8 FROM pg_class WHERE oid = 'inodes'::regclass",
	[S_DEL_RANGE] = "DELETE FROM block_map WHERE share = $1::int8 AND content = $2::uuid"
			" AND (block # " BIAS_TEXT ") >= ($3::int8 # " BIAS_TEXT ")"
			" AND (block # " BIAS_TEXT ") < ($4::int8 # " BIAS_TEXT ")",
	[S_USAGE_ADD] = "INSERT INTO usage AS u (share, kind, id, part, bytes, files)"
			" SELECT a.share, a.kind, a.id, $1::int4, a.bytes, a.files"
			" FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[])"
			" AS a (share, kind, id, bytes, files)"
			" ON CONFLICT (share, kind, id, part) DO UPDATE"
			" SET bytes = u.bytes + excluded.bytes, files = u.files + excluded.files",
	[S_USAGE_CLEAR] = "DELETE FROM usage WHERE share = $1::int8",
	[S_USAGE_SCAN] =
		"SELECT kind::int8, id::int8, "
		" greatest(least(sum(bytes), 9223372036854775807), -9223372036854775808)::int8,"
		" greatest(least(sum(files), 9223372036854775807), -9223372036854775808)::int8 "
		"FROM usage"
		" WHERE share = $1::int8 AND (kind, id) >= ($2::int8, $3::int8)"
		" GROUP BY kind, id ORDER BY kind, id LIMIT $4::int8",
};

/* Those that answer whole records, by what comes after the columns. */
static const struct {
	enum kind kind;
	const char *from;
} selecting[S_SCAN_LISTING] = {
	[S_FIND_OBJECT] = {K_OBJECT, " FROM objects t WHERE share = $1::int8 AND hash = $2::bytea"
				     " LIMIT 1"},
	[S_GET_INODES] = {K_INODE, " FROM unnest($2::int8[]) AS u (fileid)"
				   " JOIN inodes t ON t.share = $1::int8 AND t.fileid = u.fileid"},
};

/* ---- texts ---- */

struct text {
	char *s;
	size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
	assert(t->len < t->cap);
}

static const char *
type(const struct column *c)
{
	return types[c->type].name;
}

/* Column names in a row, each with this before it. */
static void
names(struct text *t, const struct kind_info *k, unsigned n, const char *before)
{
	for (unsigned i = 0; i < n; i++)
		add(t, "%s%s%s", i ? ", " : "", before, k->columns[i].name);
}

/* The columns of an answer, cast: who alters a table under a session gets no answer of another form. */
static void
selected(struct text *t, const struct kind_info *k, const char *before)
{
	for (unsigned i = 0; i < k->n_columns; i++)
		add(t, "%s%s%s::%s", i ? ", " : "", before, k->columns[i].name,
		    type(&k->columns[i]));
}

/* A column as its index has it. */
static void
indexed(struct text *t, const struct column *c, const char *before)
{
	if (c->biased)
		add(t, "(%s%s # " BIAS_TEXT ")", before, c->name);
	else
		add(t, "%s%s", before, c->name);
}

static void
indexed_param(struct text *t, const struct column *c, unsigned number)
{
	if (c->biased)
		add(t, "($%u::int8 # " BIAS_TEXT ")", number);
	else
		add(t, "$%u::%s", number, type(c));
}

static void
conflict(struct text *t, const struct kind_info *k)
{
	add(t, " ON CONFLICT (");
	for (unsigned i = 0; i < k->n_keys; i++) {
		add(t, i ? ", " : "");
		indexed(t, &k->columns[i], "");
	}
	if (k->n_keys == k->n_columns) {
		add(t, ") DO NOTHING");
		return;
	}
	add(t, ") DO UPDATE SET ");
	for (unsigned i = k->n_keys; i < k->n_columns; i++)
		add(t, "%s%s = excluded.%s", i > k->n_keys ? ", " : "", k->columns[i].name,
		    k->columns[i].name);
}

static void
key_equals(struct text *t, const struct kind_info *k)
{
	for (unsigned i = 0; i < k->n_keys; i++) {
		add(t, i ? " AND " : " WHERE ");
		indexed(t, &k->columns[i], "");
		add(t, " = ");
		indexed_param(t, &k->columns[i], i + 1);
	}
}

/* unnest of an array for each column, as d. */
static void
unnested(struct text *t, const struct kind_info *k, unsigned n)
{
	add(t, "unnest(");
	for (unsigned i = 0; i < n; i++)
		add(t, "%s$%u::%s[]", i ? ", " : "", i + 1, type(&k->columns[i]));
	add(t, ") AS d (");
	names(t, k, n, "");
	add(t, ")");
}

static void
make_get(struct text *t, const struct kind_info *k)
{
	add(t, "SELECT ");
	selected(t, k, "");
	add(t, " FROM %s", k->table);
	key_equals(t, k);
}

static void
make_put(struct text *t, const struct kind_info *k)
{
	add(t, "INSERT INTO %s (", k->table);
	names(t, k, k->n_columns, "");
	add(t, ") VALUES (");
	for (unsigned i = 0; i < k->n_columns; i++)
		add(t, "%s$%u::%s", i ? ", " : "", i + 1, type(&k->columns[i]));
	add(t, ")");
	conflict(t, k);
}

static void
make_puts(struct text *t, const struct kind_info *k)
{
	add(t, "INSERT INTO %s (", k->table);
	names(t, k, k->n_columns, "");
	add(t, ") SELECT * FROM ");
	unnested(t, k, k->n_columns);
	conflict(t, k);
}

static void
make_del(struct text *t, const struct kind_info *k)
{
	add(t, "DELETE FROM %s", k->table);
	key_equals(t, k);
}

static void
make_dels(struct text *t, const struct kind_info *k)
{
	add(t, "DELETE FROM %s t USING ", k->table);
	unnested(t, k, k->n_keys);
	for (unsigned i = 0; i < k->n_keys; i++) {
		add(t, i ? " AND " : " WHERE ");
		indexed(t, &k->columns[i], "t.");
		add(t, " = ");
		indexed(t, &k->columns[i], "d.");
	}
}

/* ---- scans ---- */

static const struct scan_info scans[] = {
	[S_SCAN_LISTING - S_SCAN_LISTING] = {K_DIRENT, 2, 1},
	[S_SCAN_SHARES - S_SCAN_LISTING] = {K_SHARE, 0, 1},
	[S_SCAN_DIRENTS - S_SCAN_LISTING] = {K_DIRENT, 2, 1},
	[S_SCAN_MAP - S_SCAN_LISTING] = {K_MAP, 2, 1},
	[S_SCAN_ROWS - S_SCAN_LISTING] = {K_MAP, 1, 2},
	[S_SCAN_OBJECTS - S_SCAN_LISTING] = {K_OBJECT, 1, 1},
	[S_SCAN_DEAD - S_SCAN_LISTING] = {K_DEAD, 1, 4},
	[S_SCAN_ORPHANS - S_SCAN_LISTING] = {K_ORPHAN, 1, 1},
	[S_SCAN_STATE - S_SCAN_LISTING] = {K_STATE, 1, 1},
};

struct scan_info
statement_scan(enum statement scan)
{
	return scans[scan - S_SCAN_LISTING];
}

/* The ordered columns, or the parameters from first on that they are compared with. */
static void
ordered(struct text *t, const struct scan_info *s, unsigned first)
{
	const struct column *columns = kinds[s->kind].columns + s->n_equal;

	for (unsigned i = 0; i < s->n_ordered; i++) {
		add(t, i ? ", " : "");
		if (first)
			indexed_param(t, &columns[i], first + i);
		else
			indexed(t, &columns[i], "t.");
	}
}

static void
make_scan(struct text *t, enum statement scan)
{
	struct scan_info s = statement_scan(scan);
	const struct kind_info *k = &kinds[s.kind];
	unsigned param = s.n_equal + s.n_ordered;

	add(t, "SELECT ");
	selected(t, k, "t.");
	if (scan == S_SCAN_LISTING) {
		add(t, ", ");
		selected(t, &kinds[K_INODE], "i.");
	}
	add(t, " FROM %s t", k->table);
	if (scan == S_SCAN_LISTING)
		add(t, " LEFT JOIN inodes i ON i.share = t.share AND i.fileid = t.fileid");
	add(t, " WHERE ");
	for (unsigned i = 0; i < s.n_equal; i++)
		add(t, "t.%s = $%u::%s AND ", k->columns[i].name, i + 1, type(&k->columns[i]));
	add(t, "(");
	ordered(t, &s, 0);
	add(t, ") >= (");
	ordered(t, &s, s.n_equal + 1);
	add(t, ")");
	if (scan == S_SCAN_STATE)
		add(t, " AND t.key < $%u::bytea", ++param);
	add(t, " ORDER BY ");
	ordered(t, &s, 0);
	add(t, " LIMIT $%u::int8", param + 1);
}

bool
statements_make(struct statements *s)
{
	static void (*const makers[])(struct text *, const struct kind_info *) = {
		make_get, make_put, make_puts, make_del, make_dels};
	char buf[4096];

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < STATEMENTS; i++) {
		struct text t = {buf, 0, sizeof(buf)};

		if (i < S_SCAN_LISTING && selecting[i].from) {
			add(&t, "SELECT ");
			selected(&t, &kinds[selecting[i].kind], "t.");
			add(&t, "%s", selecting[i].from);
		} else if (i < S_SCAN_LISTING) {
			add(&t, "%s", fixed[i]);
		} else if (i < S_GET) {
			make_scan(&t, i);
		} else {
			makers[(i - S_GET) / KINDS](&t, &kinds[(i - S_GET) % KINDS]);
		}
		snprintf(s->name[i], sizeof(s->name[i]), "d%u", i);
		s->text[i] = strdup(buf);
		if (!s->text[i]) {
			statements_free(s);
			return false;
		}
	}
	return true;
}

void
statements_free(struct statements *s)
{
	for (unsigned i = 0; i < STATEMENTS; i++)
		free(s->text[i]);
}
