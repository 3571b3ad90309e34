/* The capacity of a global index: what a request says of it, against the mode that its table is in. */
#include "api/ops/index_define.h"
#include "api/ops/table_settings.h"

#define INVALID "One or more parameter values were invalid: "

#define OF(name) (int)(name).n, (const char *)(name).at

uint64_t
index_warm_read(const struct table *table, const struct table_index *index)
{
	struct table as = {.on_demand = table->on_demand,
	    .read_units = index->read_units,
	    .warm_read_units = index->warm_read_units};

	return table_warm_read(&as);
}

uint64_t
index_warm_write(const struct table *table, const struct table_index *index)
{
	struct table as = {.on_demand = table->on_demand,
	    .write_units = index->write_units,
	    .warm_write_units = index->warm_write_units};

	return table_warm_write(&as);
}

/* --- reading --- */

static tide_err
read_units(const struct json *object, struct bytes name, struct index_asked *out, struct tide_error *error)
{
	const struct json *units = json_get(object, "ProvisionedThroughput");
	int64_t read, write;

	if (units == NULL)
		return TIDE_OK;
	read = params_number(units, "ReadCapacityUnits", 1);
	write = params_number(units, "WriteCapacityUnits", 1);
	if (read > INDEX_UNITS_MAX || write > INDEX_UNITS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Given value %lld for %s is out of bounds for index %.*s",
		    (long long)(read > INDEX_UNITS_MAX ? read : write),
		    read > INDEX_UNITS_MAX ? "ReadCapacityUnits" : "WriteCapacityUnits", OF(name));
	out->sets_units = true;
	out->read_units = (uint64_t)read;
	out->write_units = (uint64_t)write;
	return TIDE_OK;
}

static tide_err
read_maximum(const struct json *object, struct bytes name, struct index_asked *out, struct tide_error *error)
{
	static const char *const names[] = {"MaxReadRequestUnits", "MaxWriteRequestUnits"};
	const struct json *maximum = json_get(object, "OnDemandThroughput");
	int64_t *const into[] = {&out->read_max, &out->write_max};

	if (maximum == NULL)
		return TIDE_OK;
	out->sets_maximum = true;
	for (int i = 0; i < 2; i++) {
		if (json_get(maximum, names[i]) == NULL)
			continue;
		*into[i] = params_number(maximum, names[i], 0);
		if (*into[i] < 1 && *into[i] != -1)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Requested %s for OnDemandThroughput for index : %.*s is outside of "
				    "valid range",
			    names[i], OF(name));
	}
	return TIDE_OK;
}

/* What was said, or -1 for nought, which is lower than anything. */
static int64_t
warm_of(const struct json *warm, const char *name)
{
	int64_t said = params_number(warm, name, 0);

	return json_get(warm, name) != NULL && said <= 0 ? -1 : said;
}

tide_err
index_asked_read(
    const struct json *object, struct bytes name, struct index_asked *out, struct tide_error *error)
{
	const struct json *warm = json_get(object, "WarmThroughput");
	tide_err rc;

	*out = (struct index_asked){0};
	if (warm != NULL) {
		out->sets_warm = true;
		out->warm_read = warm_of(warm, "ReadUnitsPerSecond");
		out->warm_write = warm_of(warm, "WriteUnitsPerSecond");
	}
	rc = read_units(object, name, out, error);
	return rc == TIDE_OK ? read_maximum(object, name, out, error) : rc;
}

/* --- taking it --- */

static tide_err
check_units(const struct table *table, const struct table_index *index, const struct index_asked *asked,
    bool fresh, struct tide_error *error)
{
	if (table->on_demand && asked->sets_units)
		return fresh
			   ? tide_fail(error, TIDE_VALIDATION,
				 INVALID "ProvisionedThroughput should not be specified for index: %.*s when "
					 "BillingMode is PAY_PER_REQUEST",
				 OF(index->name))
			   : tide_fail(error, TIDE_VALIDATION,
				 INVALID "The only Updates for index: %.*s when TableThroughputMode is "
					 "PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput",
				 OF(index->name));
	if (!table->on_demand && fresh && !asked->sets_units)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "ProvisionedThroughput is not specified for index: %.*s", OF(index->name));
	return TIDE_OK;
}

static tide_err
check_maximum(const struct table *table, const struct table_index *index, const struct index_asked *asked,
    bool fresh, struct tide_error *error)
{
	const char *which = asked->read_max != 0 ? "MaxReadRequestUnits" : "MaxWriteRequestUnits";

	if (fresh && (asked->read_max == -1 || asked->write_max == -1))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Requested %s for OnDemandThroughput for index : %.*s is outside of valid range",
		    asked->read_max == -1 ? "MaxReadRequestUnits" : "MaxWriteRequestUnits", OF(index->name));
	if (table->on_demand || (asked->read_max == 0 && asked->write_max == 0))
		return TIDE_OK;
	return fresh ? tide_fail(error, TIDE_VALIDATION,
			   INVALID "%s for OnDemandThroughput for index: %.*s cannot be specified when "
				   "table BillingMode is PROVISIONED.",
			   which, OF(index->name))
		     : tide_fail(error, TIDE_VALIDATION,
			   INVALID "%s for OnDemandThroughput for index : %.*s cannot be specified when the "
				   "table BillingMode is PROVISIONED",
			   which, OF(index->name));
}

static tide_err
check_warm(const struct table *table, const struct table_index *index, const struct index_asked *asked,
    bool fresh, struct tide_error *error)
{
	bool low_read = asked->warm_read != 0 && asked->warm_read < (int64_t)index_warm_read(table, index);
	bool low_write =
	    asked->warm_write != 0 && asked->warm_write < (int64_t)index_warm_write(table, index);
	const char *which = low_read ? "ReadUnitsPerSecond" : "WriteUnitsPerSecond";

	if (!low_read && !low_write)
		return TIDE_OK;
	if (!fresh)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Requested %s for WarmThroughput for index %.*s is lower than current "
			    "WarmThroughput, decreasing WarmThroughput is not supported",
		    which, OF(index->name));
	if (table->on_demand)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Requested %s for WarmThroughput for index %.*s is lower than initial throughput "
			    "for OnDemand. See: "
			    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
			    "on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
		    which, OF(index->name));
	return tide_fail(error, TIDE_VALIDATION,
	    INVALID "Requested %s for WarmThroughput for index %.*s is lower than %s of "
		    "ProvisionedThroughput",
	    which, OF(index->name), low_read ? "ReadCapacityUnits" : "WriteCapacityUnits");
}

tide_err
index_asked_take(const struct table *table, struct table_index *index, const struct index_asked *asked,
    bool fresh, struct tide_error *error)
{
	struct table_index next = *index;
	tide_err rc;

	if ((rc = check_units(table, index, asked, fresh, error)) != TIDE_OK ||
	    (rc = check_maximum(table, index, asked, fresh, error)) != TIDE_OK)
		return rc;
	if (asked->sets_units) {
		/* It stays warm for what it had. */
		next.warm_read_units = fresh ? 0 : index_warm_read(table, index);
		next.warm_write_units = fresh ? 0 : index_warm_write(table, index);
		next.read_units = asked->read_units;
		next.write_units = asked->write_units;
	}
	if (asked->read_max != 0)
		next.read_units_max = asked->read_max > 0 ? (uint64_t)asked->read_max : 0;
	if (asked->write_max != 0)
		next.write_units_max = asked->write_max > 0 ? (uint64_t)asked->write_max : 0;
	if ((rc = check_warm(table, &next, asked, fresh, error)) != TIDE_OK)
		return rc;
	if (asked->warm_read > 0)
		next.warm_read_units = (uint64_t)asked->warm_read;
	if (asked->warm_write > 0)
		next.warm_write_units = (uint64_t)asked->warm_write;
	*index = next;
	return TIDE_OK;
}
