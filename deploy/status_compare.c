#include <string.h>

#include "deploy/status.h"
#include "deploy/tree.h"

#define ID_CONFLICTS                                                                                         \
	"0000000000000002" /* TABLE_CONFLICTS, TABLE_REGIONAL, TABLE_TOKENS in store/shard/shard.h */
#define ID_REGIONAL "0000000000000003"
#define ID_TOKENS "0000000000000004"

static const struct json *
tables_of(const struct report *report)
{
	const struct json *tables = report->reached ? json_get(&report->status, "tables") : NULL;

	return tables != NULL && tables->type == JSON_ARRAY ? tables : NULL;
}

static struct table_report *
find(struct table_report *tables, size_t n, struct bytes id)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal(tables[i].id, id))
			return &tables[i];
	return NULL;
}

/* Marks are {"journal": J, "seq": N, "clock": C}; one that a side has not is unequal. Order means nothing. */
static bool
same_vector(const struct json *a, const struct json *b)
{
	if (a == NULL || b == NULL || a->type != JSON_ARRAY || b->type != JSON_ARRAY ||
	    a->array.n != b->array.n)
		return false;
	for (uint32_t i = 0; i < a->array.n; i++) {
		const struct json *mark = &a->array.at[i], *there = NULL;

		for (uint32_t j = 0; j < b->array.n && there == NULL; j++)
			if (bytes_equal(tree_text(mark, "journal"), tree_text(&b->array.at[j], "journal")))
				there = &b->array.at[j];
		if (there == NULL || !bytes_equal(tree_text(mark, "seq"), tree_text(there, "seq")))
			return false;
	}
	return true;
}

static void
judge(struct table_report *table)
{
	const struct json *first = NULL, *one, *other;

	table->converged = table->sound = true;
	table->fingerprinted = !bytes_is(table->id, ID_CONFLICTS);
	for (size_t i = 0; i < table->n_rows; i++) {
		one = table->rows[i].table;
		if (bytes_is(tree_text(one, "state"), "ABSENT"))
			continue;
		table->replicas++;
		if (first == NULL)
			first = one;
		if (!bytes_is(tree_text(one, "state"), "ACTIVE") ||
		    !same_vector(json_get(first, "vector"), json_get(one, "vector")))
			table->converged = false;
		for (size_t j = 0; j < i; j++) {
			other = table->rows[j].table;
			if (table->fingerprinted && bytes_is(tree_text(other, "state"), "ACTIVE") &&
			    bytes_is(tree_text(one, "state"), "ACTIVE") &&
			    same_vector(json_get(one, "vector"), json_get(other, "vector")) &&
			    !bytes_equal(tree_text(one, "fingerprint"), tree_text(other, "fingerprint")))
				table->sound = false;
		}
	}
}

static tide_err
add_row(struct arena *arena, struct table_report *tables, size_t *n, size_t n_reports, const struct row *row)
{
	struct bytes id = tree_text(row->table, "id");
	struct table_report *table = find(tables, *n, id);

	if (table == NULL) {
		table = &tables[*n];
		table->id = id;
		table->rows = arena_calloc(arena, n_reports * sizeof *table->rows);
		if (table->rows == NULL)
			return TIDE_NOMEM;
		(*n)++;
	}
	/* A region knows a table's name only where it knows its facts. */
	if (table->name.n == 0)
		table->name = tree_text(row->table, "name");
	if (table->n_rows < n_reports) /* a region that names a table twice is not heard twice */
		table->rows[table->n_rows++] = *row;
	return TIDE_OK;
}

tide_err
status_compare(struct arena *arena, const struct report *reports, size_t n, struct table_report **tables,
    size_t *n_tables)
{
	const struct json *list;
	size_t most = 0, kept = 0;
	struct table_report *all;
	tide_err rc = TIDE_OK;

	for (size_t i = 0; i < n; i++)
		if ((list = tables_of(&reports[i])) != NULL)
			most += list->array.n;
	all = arena_calloc(arena, (most + 1) * sizeof *all);
	if (all == NULL)
		return TIDE_NOMEM;
	*n_tables = 0;
	for (size_t i = 0; i < n; i++) {
		list = tables_of(&reports[i]);
		for (uint32_t t = 0; list != NULL && t < list->array.n && rc == TIDE_OK; t++) {
			const struct row row = {&reports[i], &list->array.at[t]};

			/* What never travels differs by design. */
			if (!bytes_is(tree_text(row.table, "id"), ID_REGIONAL) &&
			    !bytes_is(tree_text(row.table, "id"), ID_TOKENS))
				rc = add_row(arena, all, n_tables, n, &row);
		}
	}
	if (rc != TIDE_OK)
		return rc;
	for (size_t i = 0; i < *n_tables; i++) {
		judge(&all[i]);
		if (all[i].replicas > 0)
			all[kept++] = all[i];
	}
	*n_tables = kept;
	*tables = all;
	return TIDE_OK;
}

bool
status_converged(const struct report *reports, size_t n, const struct table_report *tables, size_t n_tables)
{
	for (size_t i = 0; i < n; i++)
		if (!reports[i].reached)
			return false;
	for (size_t i = 0; i < n_tables; i++)
		if (!tables[i].converged)
			return false;
	return status_sound(tables, n_tables);
}

bool
status_sound(const struct table_report *tables, size_t n_tables)
{
	for (size_t i = 0; i < n_tables; i++)
		if (!tables[i].sound)
			return false;
	return true;
}
