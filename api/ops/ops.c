#include "api/ops/ops.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/membership.h"

bool
ops_check(struct request *request, const struct param *shape)
{
	struct tide_error error;

	if (params_check(shape, &request->body, &error) == TIDE_OK)
		return true;
	request_fail(request, &error, NULL);
	return false;
}

void
ops_fail(struct request *request, tide_err code, const char *format, ...)
{
	struct tide_error error;
	va_list args;

	if (format == NULL) {
		tide_fail(&error, code, NULL);
	} else {
		error.code = code;
		va_start(args, format);
		vsnprintf(error.message, sizeof error.message, format, args);
		va_end(args);
	}
	request_fail(request, &error, NULL);
}

static bool
take(struct bytes *text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (text->n < n || memcmp(text->at, prefix, n) != 0)
		return false;
	*text = bytes_of(text->at + n, text->n - n);
	return true;
}

static tide_err
name_of_arn(struct region *region, struct bytes text, struct bytes *name, struct tide_error *error)
{
	struct bytes rest = text;
	int n = (int)(text.n > 1024 ? 1024 : text.n);
	const char *at = (const char *)text.at;

	if (!take(&rest, "arn:aws:dynamodb:"))
		return tide_fail(error, TIDE_VALIDATION,
		    "1 validation error detected: Invalid AWS partition in '%.*s'", n, at);
	if (!take(&rest, region->config.region) || !take(&rest, ":"))
		return tide_fail(error, TIDE_VALIDATION,
		    "1 validation error detected: Invalid AWS region in '%.*s'", n, at);
	if (!take(&rest, region->config.account) || !take(&rest, ":"))
		return tide_fail(
		    error, TIDE_VALIDATION, "1 validation error detected: Invalid account in '%.*s'", n, at);
	if (!take(&rest, "table/"))
		return tide_fail(error, TIDE_VALIDATION,
		    "1 validation error detected: Invalid resource type in '%.*s'", n, at);
	*name = rest;
	return TIDE_OK;
}

tide_err
ops_table_name(struct region *region, struct bytes text, struct bytes *name, struct tide_error *error)
{
	struct bytes plain = text;
	tide_err rc;

	if (text.n >= 4 && memcmp(text.at, "arn:", 4) == 0 &&
	    (rc = name_of_arn(region, text, &plain, error)) != TIDE_OK)
		return rc;
	if (plain.n < 3 || plain.n > TABLE_NAME_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "1 validation error detected: Value '%.*s' at 'tableName' failed to satisfy constraint: "
		    "Member must have "
		    "length %s than or equal to %d",
		    (int)plain.n, (const char *)plain.at, plain.n < 3 ? "greater" : "less",
		    plain.n < 3 ? 3 : TABLE_NAME_MAX);
	for (size_t i = 0; i < plain.n; i++) {
		uint8_t c = plain.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '_' || c == '.' || c == '-'))
			return tide_fail(error, TIDE_VALIDATION,
			    "1 validation error detected: Value '%.*s' at 'tableName' failed to satisfy "
			    "constraint: Member must "
			    "satisfy regular expression pattern: " PARAM_PATTERN_NAME,
			    (int)plain.n, (const char *)plain.at);
	}
	*name = plain;
	return TIDE_OK;
}

/* A replica that is being made or was given up is no resource for items: DescribeTable only. */
static const struct table *
find(struct region *region, struct bytes text, enum replica_state *state, struct tide_error *error)
{
	const struct table *table;
	struct bytes name;

	if (ops_table_name(region, text, &name, error) != TIDE_OK)
		return NULL;
	table = catalog_find(region->catalog, name);
	if (table != NULL) {
		*state = shard_table_state(region->shard, table->id);
		if (*state == REPLICA_ACTIVE || *state == REPLICA_LEAVING)
			return table;
	}
	table_release(table);
	tide_fail(error, TIDE_RESOURCE_NOT_FOUND, "Requested resource not found");
	return NULL;
}

const struct table *
ops_table_read(struct region *region, struct bytes text, struct tide_error *error)
{
	enum replica_state state;

	return find(region, text, &state, error);
}

const struct table *
ops_table_write(struct region *region, struct bytes text, struct tide_error *error)
{
	enum replica_state state;
	const struct table *table = find(region, text, &state, error);

	if (table == NULL)
		return NULL;
	if (table->built_in)
		tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: table %s is read-only", table->name);
	else if (state != REPLICA_ACTIVE)
		tide_fail(error, TIDE_RESOURCE_NOT_FOUND, "Requested resource not found");
	else if (!region_may_write(region))
		tide_fail(error, TIDE_UNAVAILABLE, NULL);
	else
		return table;
	table_release(table);
	return NULL;
}

tide_err
ops_write_check(struct group *group, const struct table *table, struct tide_error *error)
{
	if (shard_table_state(group_shard(group), table->id) == REPLICA_ACTIVE)
		return TIDE_OK;
	return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, "Requested resource not found");
}

void
ops_table_arn(struct buf *out, const struct config *config, const char *region, struct bytes name)
{
	buf_append_format(out, "arn:aws:dynamodb:%s:%s:table/", region, config->account);
	buf_append(out, name.at, name.n);
}

void
ops_write_units(struct buf *out, double units)
{
	buf_append_format(out, floor(units) == units ? "%.1f" : "%.15g", units);
}
