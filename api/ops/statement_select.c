#include "api/ops/statement_select.h"

#include "api/ops/query_range.h"

#define PAGE_BYTES_MAX (1024 * 1024)
#define INVALID "One or more parameter values were invalid: "

/* --- against the index --- */

static void
list_name(struct buf *out, struct bytes name)
{
	if (out->n > 0)
		buf_append_string(out, ", ");
	buf_append(out, name.at, name.n);
}

/* Columns that the index has not: of a local one they come from the table. */
static tide_err
check_columns(struct statement_select *select, struct tide_error *error)
{
	const struct partiql_statement *statement = select->statement;
	struct page_read *read = &select->read;
	struct buf missing = {0};
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < statement->n_columns && missing.n < TIDE_MESSAGE_MAX; i++) {
		struct bytes name = partiql_column_attribute(statement, i);

		if (!table_index_projects(read->table, read->index, name))
			list_name(&missing, name);
	}
	if (buf_check(&missing) != TIDE_OK)
		rc = tide_fail(error, TIDE_NOMEM, NULL);
	else if (missing.n > 0 && !read->index->local)
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID "Global secondary index %.*s does not project [%.*s]", (int)read->index->name.n,
		    (const char *)read->index->name.at, (int)missing.n, (const char *)missing.at);
	else
		read->whole = missing.n > 0;
	buf_fini(&missing);
	return rc;
}

/* The names in one part's filters that the index has not. */
static tide_err
list_filters(struct statement_select *select, const struct partiql_read *part, struct buf *out,
    struct tide_error *error)
{
	const struct page_read *read = &select->read;
	const struct bytes *names;
	uint32_t n;
	tide_err rc;

	buf_clear(out);
	rc = partiql_read_filter_names(part, &select->request->arena, &names, &n);
	for (uint32_t i = 0; rc == TIDE_OK && i < n && out->n < TIDE_MESSAGE_MAX; i++) {
		if (!table_index_projects(read->table, read->index, names[i]))
			list_name(out, names[i]);
	}
	if (rc == TIDE_OK)
		rc = buf_check(out);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/*
 * A keyed read filters by what the index has, in one of its parts at least; the sentence is about the last part. One that is not keyed
 * finds nothing in what the index has not.
 */
static tide_err
check_filters(struct statement_select *select, struct tide_error *error)
{
	struct buf missing = {0};
	tide_err rc = TIDE_OK;
	bool all = select->plan.n_reads > 0;

	for (uint32_t i = 0; i < select->plan.n_reads && rc == TIDE_OK && all; i++) {
		rc = list_filters(select, &select->plan.reads[i], &missing, error);
		all = missing.n > 0;
	}
	if (rc == TIDE_OK && all)
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID "Secondary index %.*s does not project one or more filter attributes: [%.*s]",
		    (int)select->read.index->name.n, (const char *)select->read.index->name.at,
		    (int)missing.n, (const char *)missing.at);
	buf_fini(&missing);
	return rc;
}

/* --- opening --- */

static tide_err
find_target(struct statement_select *select, struct tide_error *error)
{
	const struct partiql_statement *statement = select->statement;
	struct page_read *read = &select->read;
	tide_err rc;

	*read = (struct page_read){.request = select->request, .consistent = select->consistent};
	read->used.report = select->report;
	if ((rc = page_read_target(read, statement->table, NULL, error)) != TIDE_OK)
		return rc;
	capacity_begin(&select->used, read->table, METER_READ, select->report);
	if (statement->index.at == NULL)
		return TIDE_OK;
	if ((read->index = table_index_find(read->table, statement->index)) == NULL)
		return tide_fail(error, TIDE_VALIDATION, "The table does not have the specified index");
	if ((rc = statement_check_index(read->index, error)) != TIDE_OK)
		return rc;
	if (read->consistent && !read->index->local)
		return tide_fail(error, TIDE_VALIDATION,
		    "Strongly consistent read is not supported on Global Secondary Indexes");
	return TIDE_OK;
}

tide_err
statement_select_open(struct statement_select *select, struct tide_error *error)
{
	const struct partiql_statement *statement = select->statement;
	struct expr_key_schema schema;
	tide_err rc;

	if ((rc = find_target(select, error)) != TIDE_OK)
		return rc;
	schema = page_read_schema(&select->read);
	if ((rc = expr_projection_check_paths(statement->projection, &schema, error)) != TIDE_OK ||
	    (rc = expr_condition_check_paths(statement->where, &schema, error)) != TIDE_OK)
		return rc;
	rc = partiql_plan_make(statement, &schema, &select->request->arena, &select->plan, error);
	if (rc != TIDE_OK || select->read.index == NULL)
		return rc;
	if ((rc = check_columns(select, error)) != TIDE_OK)
		return rc;
	return check_filters(select, error);
}

/* --- running --- */

static tide_err
take_row(void *arg, struct arena *scratch, struct bytes image)
{
	struct statement_select *select = arg;
	struct buf *reply = &select->request->reply;

	if (select->rows++ > 0)
		buf_append_byte(reply, ',');
	return statement_write_row(select->statement, scratch, image, reply);
}

/* The range of a part; `read` unkeyed: all there is. */
static tide_err
set_range(struct statement_select *select, uint32_t part, struct bytes after)
{
	struct page_read *read = &select->read;
	tide_err rc;

	key_range_fini(&read->range);
	read->range = (struct key_range){0};
	if (select->plan.keyed) {
		read->range.backward = select->plan.backward;
		rc = query_range(&select->plan.reads[part].key, &read->range);
	} else {
		read->scan = true;
		rc = scan_segment_range((struct scan_segment){0, 1}, &read->range);
	}
	return rc == TIDE_OK && after.n > 0 ? key_range_resume(&read->range, after) : rc;
}

/* One part; `*scanned` grows by what it looked at. */
static tide_err
run_part(struct statement_select *select, uint32_t part, struct bytes after, uint64_t *scanned,
    struct tide_error *error)
{
	struct page_read *read = &select->read;
	tide_err rc;

	buf_clear(&read->last);
	buf_clear(&read->last_keys);
	read->filter = select->statement->where;
	read->select = PAGE_AS_PROJECTED;
	read->limit = select->limit == 0 ? 0 : select->limit - *scanned;
	read->full = false;
	capacity_begin(&read->used, read->table, METER_READ, select->report);
	if ((rc = set_range(select, part, after)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = page_read_walk(read, take_row, select, error)) != TIDE_OK)
		return rc;
	*scanned += read->scanned;
	rc = capacity_add_all(&select->used, &select->request->arena, &read->used);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* Is there another page? One that names whole keys ends with its last part. */
static bool
ends_here(struct statement_select *select, uint32_t part, uint32_t parts, uint64_t scanned)
{
	const struct page_read *read = &select->read;
	bool whole = select->plan.whole_key && read->index == NULL;

	if (read->full && !whole) {
		select->next = (struct statement_position){part, buf_bytes(&read->last)};
		select->more = true;
		return true;
	}
	if (part + 1 < parts && ((select->limit != 0 && scanned >= select->limit) ||
				    select->request->reply.n >= PAGE_BYTES_MAX)) {
		select->next = (struct statement_position){part + 1, BYTES_NONE};
		select->more = true;
		return true;
	}
	return false;
}

tide_err
statement_select_run(
    struct statement_select *select, const struct statement_position *from, struct tide_error *error)
{
	uint32_t parts = select->plan.keyed ? select->plan.n_reads : 1;
	struct bytes after = from->after;
	uint64_t scanned = 0;
	tide_err rc;

	for (uint32_t part = from->read; part < parts; part++, after = BYTES_NONE) {
		if ((rc = run_part(select, part, after, &scanned, error)) != TIDE_OK)
			return rc;
		if (ends_here(select, part, parts, scanned))
			break;
	}
	return TIDE_OK;
}

void
statement_select_close(struct statement_select *select)
{
	page_read_close(&select->read);
}
