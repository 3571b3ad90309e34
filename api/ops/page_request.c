#include "api/ops/page_request.h"

#include "api/expr/legacy.h"

#include "api/ops/item_read.h"

const char *const select_names[] = {
    "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", NULL};

/* --- the request --- */

static tide_err
check_select(const struct page_read *read, struct tide_error *error)
{
	const struct json *body = &read->request->body;
	struct bytes select = params_string(body, "Select");
	bool index = json_get(body, "IndexName") != NULL;

	if (bytes_is(select, "ALL_PROJECTED_ATTRIBUTES") && !index)
		return tide_fail(error, TIDE_VALIDATION,
		    "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
	if (bytes_is(select, "SPECIFIC_ATTRIBUTES") && read->projection == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
		    "SPECIFIC_ATTRIBUTES");
	if (read->projection == NULL || select.n == 0 || bytes_is(select, "SPECIFIC_ATTRIBUTES"))
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION, "Cannot specify the %s when choosing to get %s",
	    json_get(body, "AttributesToGet") != NULL ? "AttributesToGet" : "ProjectionExpression",
	    read->select == PAGE_COUNT            ? "only the Count"
	    : read->select == PAGE_ALL_ATTRIBUTES ? "ALL_ATTRIBUTES"
						  : "ALL_PROJECTED_ATTRIBUTES");
}

tide_err
page_request_begin(struct page_read *read, struct request *request, const struct page_parameters *parameters,
    struct expr_scope *scope, struct tide_error *error)
{
	const struct json *body = &request->body, *filter = json_get(body, "FilterExpression");
	struct bytes select = params_string(body, "Select");
	struct arena *arena = &request->arena;
	tide_err rc;

	*read = (struct page_read){.request = request};
	read->used.report = capacity_report_read(body);
	read->consistent = params_flag(body, "ConsistentRead", false);
	read->limit = (uint64_t)params_number(body, "Limit", 0);
	read->select = bytes_is(select, "COUNT")            ? PAGE_COUNT
		       : bytes_is(select, "ALL_ATTRIBUTES") ? PAGE_ALL_ATTRIBUTES
							    : PAGE_AS_PROJECTED;
	rc = expr_scope_read(arena, body, parameters->expressions, parameters->legacy, scope, error);
	if (rc != TIDE_OK)
		return rc;
	if (filter != NULL)
		rc = expr_condition_parse(arena, EXPR_FILTER, filter->text, scope, &read->filter, error);
	else
		rc = expr_legacy_filter(arena, json_get(body, parameters->filter),
		    json_get(body, "ConditionalOperator"), &read->filter, error);
	if (rc != TIDE_OK)
		return rc;
	rc = item_read_projection(arena, body, scope, &read->projection, error);
	return rc == TIDE_OK ? check_select(read, error) : rc;
}

tide_err
page_request_target(struct page_read *read, const struct expr_scope *scope, struct tide_error *error)
{
	const struct json *body = &read->request->body, *index = json_get(body, "IndexName");
	tide_err rc;

	if ((rc = expr_scope_check_used(scope, error)) != TIDE_OK)
		return rc;
	return page_read_target(
	    read, params_string(body, "TableName"), index == NULL ? NULL : &index->text, error);
}

#define BAD_START "The provided starting key is invalid: "

/* A value that is none: the service says that the key is invalid, except where it counts elements or digits. */
static tide_err
bad_value(const struct tide_error *why, struct tide_error *error)
{
	bool plain = strstr(why->message, "contains duplicates") != NULL ||
		     strstr(why->message, "number set") != NULL ||
		     (strncmp(why->message, "Supplied AttributeValue", 23) != 0 &&
			 strncmp(why->message, "One or more parameter values", 28) != 0);

	return tide_fail(error, why->code, "%s%s", plain ? "" : BAD_START, why->message);
}

tide_err
page_request_start(struct page_read *read, const struct value **out, struct tide_error *error)
{
	struct request *request = read->request;
	const struct json *start = json_get(&request->body, "ExclusiveStartKey");
	struct tide_error why;
	struct value *value;

	*out = NULL;
	if (start == NULL)
		return TIDE_OK;
	if ((value = arena_alloc(&request->arena, sizeof *value)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if (json_to_item(&request->arena, start, value, &why) != TIDE_OK)
		return bad_value(&why, error);
	*out = value;
	return TIDE_OK;
}

/* --- the reply --- */

struct writing {
	const struct page_read *read;
	struct buf *reply;
	bool begun;
};

static tide_err
write_item(void *arg, struct arena *scratch, struct bytes image)
{
	struct writing *writing = arg;

	if (writing->begun)
		buf_append_byte(writing->reply, ',');
	writing->begun = true;
	return item_read_write(scratch, image, writing->read->projection, writing->reply);
}

static tide_err
write_end(struct page_read *read, struct buf *reply)
{
	tide_err rc;

	if (read->select != PAGE_COUNT)
		buf_append_string(reply, "],");
	buf_append_format(reply, "\"Count\":%llu,\"ScannedCount\":%llu", (unsigned long long)read->matched,
	    (unsigned long long)read->scanned);
	if (read->full && !read->at_most_one) {
		buf_append_string(reply, ",\"LastEvaluatedKey\":");
		if ((rc = page_read_last_key(read, reply)) != TIDE_OK)
			return rc;
	}
	capacity_report_member(reply, &read->used);
	buf_append_byte(reply, '}');
	return buf_check(reply);
}

tide_err
page_request_write(struct page_read *read, struct tide_error *error)
{
	struct buf *reply = &read->request->reply;
	struct writing writing = {.read = read, .reply = reply};
	tide_err rc;

	buf_append_string(reply, read->select == PAGE_COUNT ? "{" : "{\"Items\":[");
	if ((rc = page_read_walk(read, write_item, &writing, error)) != TIDE_OK)
		return rc;
	rc = write_end(read, reply);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
page_request_finish(struct page_read *read, tide_err rc, const struct tide_error *error)
{
	struct request *request = read->request;

	page_read_close(read);
	if (rc == TIDE_OK) {
		request_ok(request);
		return;
	}
	buf_clear(&request->reply);
	request_fail(request, error, NULL);
}
