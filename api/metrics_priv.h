/* What the parts of the metrics share. See metrics.h. */
#ifndef TIDE_API_METRICS_PRIV_H
#define TIDE_API_METRICS_PRIV_H

#include "api/endpoint_view.h"
#include "api/http/http.h"
#include "api/lag.h"
#include "api/metrics_text.h"

/* One scrape. */
struct scrape {
	struct region *region;
	struct http_server *http; /* NULL: not there yet */
	const char *version;
	struct arena *arena;
	struct endpoint_view view;
	struct lag_view lag;
	struct buf labels; /* of the sample that is being written */
	struct buf *out;
};

/** Start the labels of a sample anew. */
void scrape_labels(struct scrape *scrape);

/** Append a label that is a region's name, or a table's (its id in hex where the name is not known). */
void scrape_label_region(struct scrape *scrape, const char *name, uint8_t number);
void scrape_label_table(struct scrape *scrape, uint64_t table);

/** A family of one sample without labels. */
void scrape_u64(
    struct scrape *scrape, enum metric_type type, const char *name, const char *help, uint64_t value);
void scrape_f64(
    struct scrape *scrape, enum metric_type type, const char *name, const char *help, double value);

/* One file each. TIDE_NOMEM; what they append is checked at the end. */
tide_err metrics__http(struct scrape *scrape);
tide_err metrics__health(struct scrape *scrape);
tide_err metrics__indexes(struct scrape *scrape);
void metrics__store(struct scrape *scrape);
void metrics__capacity(struct scrape *scrape);
void metrics__links(struct scrape *scrape);
void metrics__lag(struct scrape *scrape);
void metrics__process(struct scrape *scrape);

#endif
