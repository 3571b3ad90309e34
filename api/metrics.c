#include "api/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/metrics_priv.h"

struct metrics {
	struct endpoint *endpoint;
	const char *version;
	_Atomic(struct http_server *) http;
};

tide_err
metrics_open(struct region *region, struct endpoint *endpoint, const char *version)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);

	if (metrics == NULL)
		return TIDE_NOMEM;
	metrics->endpoint = endpoint;
	metrics->version = version;
	region->metrics = metrics;
	return TIDE_OK;
}

void
metrics_set_http(struct region *region, struct http_server *http)
{
	if (region->metrics != NULL)
		atomic_store(&region->metrics->http, http);
}

void
metrics_close(struct region *region)
{
	free(region->metrics);
	region->metrics = NULL;
}

/* --- what the parts use --- */

void
scrape_labels(struct scrape *scrape)
{
	buf_clear(&scrape->labels);
}

void
scrape_label_region(struct scrape *scrape, const char *name, uint8_t number)
{
	metric_label(&scrape->labels, name, bytes_of_string(endpoint_region_name(scrape->region, number)));
}

void
scrape_label_table(struct scrape *scrape, uint64_t id)
{
	const struct table *table = catalog_find_id(scrape->region->catalog, id);
	char hex[20];

	snprintf(hex, sizeof hex, "%016" PRIx64, id);
	metric_label(&scrape->labels, "table_name",
	    bytes_of_string(table != NULL && table->name[0] != '\0' ? table->name : hex));
	if (table != NULL)
		table_release(table);
}

void
scrape_u64(struct scrape *scrape, enum metric_type type, const char *name, const char *help, uint64_t value)
{
	metric_family(scrape->out, type, name, help);
	metric_u64(scrape->out, name, BYTES_NONE, value);
}

void
scrape_f64(struct scrape *scrape, enum metric_type type, const char *name, const char *help, double value)
{
	metric_family(scrape->out, type, name, help);
	metric_f64(scrape->out, name, BYTES_NONE, value);
}

/* --- the whole --- */

static void
write_region(struct scrape *scrape)
{
	static const char name[] = "tidemark_build_info";

	metric_family(scrape->out, METRIC_GAUGE, name, "Always 1; the labels say what runs here.");
	scrape_labels(scrape);
	metric_label(&scrape->labels, "version", bytes_of_string(scrape->version));
	metric_label(&scrape->labels, "region", bytes_of_string(scrape->region->config.region));
	metric_u64(scrape->out, name, buf_bytes(&scrape->labels), 1);
	scrape_u64(scrape, METRIC_GAUGE, "tidemark_may_write", "1 when this region accepts writes.",
	    scrape->view.may_write);
}

tide_err
metrics_write(struct region *region, struct buf *out)
{
	struct metrics *metrics = region->metrics;
	struct scrape scrape = {.region = region, .out = out};
	struct arena arena;
	tide_err rc;

	if (metrics == NULL)
		return TIDE_UNAVAILABLE;
	arena_init(&arena, 0);
	scrape.arena = &arena;
	scrape.http = atomic_load(&metrics->http);
	scrape.version = metrics->version;
	if ((rc = endpoint_view(metrics->endpoint, &arena, &scrape.view)) == TIDE_OK)
		rc = lag_view(region->lag, &arena, &scrape.view.shard, &scrape.lag);
	if (rc == TIDE_OK) {
		write_region(&scrape);
		rc = metrics__health(&scrape);
	}
	if (rc == TIDE_OK) {
		metrics__links(&scrape);
		metrics__lag(&scrape);
		metrics__store(&scrape);
		metrics__capacity(&scrape);
		metrics__process(&scrape);
		if ((rc = metrics__http(&scrape)) == TIDE_OK)
			rc = metrics__indexes(&scrape);
	}
	if (rc == TIDE_OK && (rc = buf_check(&scrape.labels)) == TIDE_OK)
		rc = buf_check(out);
	buf_fini(&scrape.labels);
	arena_fini(&arena);
	return rc;
}

static void
answer(struct request *request)
{
	struct tide_error error;
	tide_err rc = metrics_write(request->region, &request->reply);

	if (rc == TIDE_OK) {
		request_ok(request);
		return;
	}
	tide_fail(&error, rc, NULL);
	request_fail(request, &error, NULL);
}

const struct operation metrics_operation = {"GET /metrics", answer};
