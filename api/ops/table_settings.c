#include "api/ops/table_settings.h"

#include <stdio.h>
#include <time.h>

static const char *const views[] = {"NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY", NULL};
const char *const table_billing_modes[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
const char *const table_classes[] = {"STANDARD", "STANDARD_INFREQUENT_ACCESS", NULL};

const struct param table_throughput_shape[] = {
    {.name = "ReadCapacityUnits", .type = PARAM_LONG, .flags = PARAM_REQUIRED, .min = 1},
    {.name = "WriteCapacityUnits", .type = PARAM_LONG, .flags = PARAM_REQUIRED, .min = 1},
    PARAMS_END,
};

const struct param table_stream_shape[] = {
    {.name = "StreamEnabled", .type = PARAM_BOOLEAN, .flags = PARAM_REQUIRED},
    {.name = "StreamViewType", .type = PARAM_STRING, .values = views},
    PARAMS_END,
};

const struct param table_sse_shape[] = {
    {.name = "Enabled", .type = PARAM_BOOLEAN},
    {.name = "SSEType", .type = PARAM_STRING},
    {.name = "KMSMasterKeyId", .type = PARAM_STRING},
    PARAMS_END,
};

static tide_err
refuse(const char *what, struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION,
	    "One or more parameter values were invalid: %s is not supported by this version of "
	    "Tidemark",
	    what);
}

tide_err
table_settings_refuse(const struct json *body, struct tide_error *error)
{
	const struct json *sse = json_get(body, "SSESpecification");
	struct bytes class = params_string(body, "TableClass");

	if (class.n != 0 && !bytes_is(class, "STANDARD"))
		return refuse("TableClass STANDARD_INFREQUENT_ACCESS", error);
	if (sse != NULL && (params_flag(sse, "Enabled", false) || json_get(sse, "KMSMasterKeyId") != NULL ||
			       json_get(sse, "SSEType") != NULL))
		return refuse("SSESpecification", error);
	return TIDE_OK;
}

void
table_stream_start(struct table *table, enum stream_view view, uint64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(table->stream_label, sizeof table->stream_label, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(table->stream_label + n, sizeof table->stream_label - n, ".%03u", (unsigned)(now_ms % 1000));
	table->stream = view;
	table->stream_created_ms = now_ms;
}

uint64_t
table_now_ms(struct region *region)
{
	return shard_wall_ms(region->shard);
}
