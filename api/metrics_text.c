#include "api/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/item/codec.h"

void
metric_family(struct buf *out, enum metric_type type, const char *name, const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	buf_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

void
metric_label(struct buf *labels, const char *name, struct bytes value)
{
	bool sound = codec_utf8_valid(value);

	buf_append_format(labels, "%s%s=\"", labels->n > 0 ? "," : "", name);
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.at[i];

		if (c == '\\' || c == '"')
			buf_append_byte(labels, '\\');
		if (c == '\n')
			buf_append_string(labels, "\\n");
		else
			buf_append_byte(labels, c < 0x80 || sound ? c : '?');
	}
	buf_append_byte(labels, '"');
}

static void
open_sample(struct buf *out, const char *name, const char *suffix, struct bytes labels)
{
	buf_append_string(out, name);
	buf_append_string(out, suffix);
	if (labels.n > 0) {
		buf_append_byte(out, '{');
		buf_append(out, labels.at, labels.n);
		buf_append_byte(out, '}');
	}
	buf_append_byte(out, ' ');
}

void
metric_u64(struct buf *out, const char *name, struct bytes labels, uint64_t value)
{
	open_sample(out, name, "", labels);
	buf_append_format(out, "%" PRIu64 "\n", value);
}

void
metric_f64(struct buf *out, const char *name, struct bytes labels, double value)
{
	open_sample(out, name, "", labels);
	buf_append_format(out, "%.15g\n", value);
}

static void
bucket(struct buf *out, const char *name, struct bytes labels, const char *bound, uint64_t count)
{
	buf_append_format(out, "%s_bucket{", name);
	buf_append(out, labels.at, labels.n);
	buf_append_format(out, "%sle=\"%s\"} %" PRIu64 "\n", labels.n > 0 ? "," : "", bound, count);
}

void
metric_histogram(
    struct buf *out, const char *name, struct bytes labels, const struct metric_histogram *histogram)
{
	uint64_t n = 0;
	char bound[32];

	for (uint32_t i = 0; i < histogram->n_bounds; i++) {
		n += histogram->counts[i];
		snprintf(bound, sizeof bound, "%.9g", histogram->bounds[i] * histogram->unit);
		bucket(out, name, labels, bound, n);
	}
	n += histogram->counts[histogram->n_bounds];
	bucket(out, name, labels, "+Inf", n);
	open_sample(out, name, "_sum", labels);
	buf_append_format(out, "%.15g\n", (double)histogram->sum * histogram->unit);
	open_sample(out, name, "_count", labels);
	buf_append_format(out, "%" PRIu64 "\n", n);
}
