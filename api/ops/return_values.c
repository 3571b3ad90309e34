#include "api/ops/return_values.h"

const char *const return_values_names[] = {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW", NULL};
const char *const return_on_failure_names[] = {"ALL_OLD", "NONE", NULL};
const char *const item_collection_metrics_names[] = {"SIZE", "NONE", NULL};

tide_err
return_values_read(const struct json *body, bool old_only, enum return_values *out, struct tide_error *error)
{
	static const struct {
		const char *name;
		enum return_values value;
	} table[] = {
	    {"ALL_OLD", RETURN_ALL_OLD},
	    {"UPDATED_OLD", RETURN_UPDATED_OLD},
	    {"ALL_NEW", RETURN_ALL_NEW},
	    {"UPDATED_NEW", RETURN_UPDATED_NEW},
	};
	struct bytes text = params_string(body, "ReturnValues");
	size_t i;

	*out = RETURN_NONE;
	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (bytes_is(text, table[i].name))
			*out = table[i].value;
	if (old_only && *out != RETURN_NONE && *out != RETURN_ALL_OLD)
		return tide_fail(error, TIDE_VALIDATION, "Return values set to invalid value");
	return TIDE_OK;
}

bool
return_on_failure_read(const struct json *body)
{
	return bytes_is(params_string(body, "ReturnValuesOnConditionCheckFailure"), "ALL_OLD");
}
