/* The HTTP front: connections, requests by operation. */
#include "api/http/tally.h"
#include "api/metrics_priv.h"

static void
write_front(struct scrape *scrape)
{
	struct http_counters counters = http_server_counters(scrape->http);
	const struct {
		enum metric_type type;
		const char *name, *help;
		uint64_t value;
	} families[] = {
	    {METRIC_GAUGE, "tidemark_http_connections", "Connections that are open.", counters.connections},
	    {METRIC_COUNTER, "tidemark_http_connections_accepted_total", "Connections accepted.",
		counters.accepted},
	    {METRIC_COUNTER, "tidemark_http_connections_refused_total",
		"Connections refused because http.connections_max were open.", counters.refused},
	    {METRIC_COUNTER, "tidemark_http_requests_total", "Requests answered, of whatever kind.",
		counters.requests},
	    {METRIC_COUNTER, "tidemark_http_received_bytes_total", "Bytes of requests.", counters.received},
	    {METRIC_COUNTER, "tidemark_http_sent_bytes_total", "Bytes of replies.", counters.sent},
	    {METRIC_GAUGE, "tidemark_http_memory_bytes",
		"What the requests under way hold of http.memory_mb.", counters.memory},
	};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		scrape_u64(scrape, families[i].type, families[i].name, families[i].help, families[i].value);
}

/* "ConditionalCheckFailedException" without its namespace; "" for success. */
static const char *
code_name(tide_err code)
{
	const char *exception = code == TIDE_OK ? NULL : tide_err_exception(code), *hash;

	if (code == TIDE_OK)
		return "";
	if (exception == NULL)
		exception = tide_err_exception(TIDE_INTERNAL);
	hash = strchr(exception, '#');
	return hash != NULL ? hash + 1 : exception;
}

static uint64_t
count_of(const struct tally_sum *sum, const char *name, size_t from)
{
	uint64_t n = 0;

	for (size_t code = from; code < TALLY_CODES; code++)
		if (strcmp(code_name((tide_err)code), name) == 0)
			n += sum->codes[code];
	return n;
}

/* Several codes have one exception: each name once, at its first code. */
static bool
named_before(size_t code)
{
	for (size_t i = 0; i < code; i++)
		if (strcmp(code_name((tide_err)i), code_name((tide_err)code)) == 0)
			return true;
	return false;
}

static void
label_operation(struct scrape *scrape, const struct tally_sum *sum)
{
	scrape_labels(scrape);
	metric_label(&scrape->labels, "operation", bytes_of_string(sum->operation->name));
}

static void
write_requests(struct scrape *scrape, const struct tally_sum *sums, uint32_t n)
{
	static const char name[] = "tidemark_requests_total";

	metric_family(scrape->out, METRIC_COUNTER, name,
	    "Requests answered by operation; error is the exception's name, empty for success.");
	for (size_t code = 0; code < TALLY_CODES; code++) {
		if (named_before(code))
			continue;
		for (uint32_t i = 0; i < n; i++) {
			uint64_t answered = count_of(&sums[i], code_name((tide_err)code), code);

			if (answered == 0)
				continue;
			label_operation(scrape, &sums[i]);
			metric_label(&scrape->labels, "error", bytes_of_string(code_name((tide_err)code)));
			metric_u64(scrape->out, name, buf_bytes(&scrape->labels), answered);
		}
	}
}

static void
write_durations(struct scrape *scrape, const struct tally_sum *sums, uint32_t n)
{
	static const char name[] = "tidemark_request_duration_seconds";

	metric_family(scrape->out, METRIC_HISTOGRAM, name,
	    "From the whole request to its reply, by operation; time in the network is not in it.");
	for (uint32_t i = 0; i < n; i++) {
		struct metric_histogram histogram = {.bounds = tally_bounds_us,
		    .counts = sums[i].buckets,
		    .n_bounds = TALLY_BUCKETS,
		    .unit = 1e-6,
		    .sum = sums[i].us};

		label_operation(scrape, &sums[i]);
		metric_histogram(scrape->out, name, buf_bytes(&scrape->labels), &histogram);
	}
}

tide_err
metrics__http(struct scrape *scrape)
{
	struct tally_sum *sums;
	uint32_t n = 0;

	if (scrape->http == NULL)
		return TIDE_OK;
	if ((sums = arena_calloc(scrape->arena, TALLY_SLOTS * sizeof *sums)) == NULL)
		return TIDE_NOMEM;
	http_server_tally(scrape->http, sums, &n);
	write_front(scrape);
	write_requests(scrape, sums, n);
	write_durations(scrape, sums, n);
	return TIDE_OK;
}
