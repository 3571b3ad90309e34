/* Prometheus' text, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/metrics_text.h"

static void
expect(struct buf *out, const char *text)
{
	assert_int_equal(buf_check(out), TIDE_OK);
	buf_append_byte(out, 0);
	assert_string_equal((char *)out->at, text);
	buf_fini(out);
}

static void
test_a_family_and_its_samples(void **state)
{
	struct buf out = {0}, labels = {0};

	(void)state;
	metric_family(&out, METRIC_GAUGE, "tidemark_x", "What it is.");
	metric_u64(&out, "tidemark_x", BYTES_NONE, 18446744073709551615u);
	metric_label(&labels, "a", BYTES_LITERAL("1"));
	metric_label(&labels, "b", BYTES_LITERAL(""));
	metric_f64(&out, "tidemark_x", buf_bytes(&labels), 0.25);
	buf_fini(&labels);
	expect(&out,
	    "# HELP tidemark_x What it is.\n# TYPE tidemark_x gauge\ntidemark_x 18446744073709551615\n"
	    "tidemark_x{a=\"1\",b=\"\"} 0.25\n");
}

static const struct label_case {
	const char *name, *value, *want;
} label_cases[] = {
    {"plain", "Orders", "l=\"Orders\""},
    {"quote", "a\"b", "l=\"a\\\"b\""},
    {"backslash", "a\\b", "l=\"a\\\\b\""},
    {"line feed", "a\nb", "l=\"a\\nb\""},
    {"UTF-8", "\xc3\xa9", "l=\"\xc3\xa9\""},
    {"half a character", "a\xc3", "l=\"a?\""},
};

static void
test_label(void **state)
{
	const struct label_case *c = *state;
	struct buf labels = {0};

	metric_label(&labels, "l", bytes_of_string(c->value));
	expect(&labels, c->want);
}

static void
test_a_histogram_is_summed_up(void **state)
{
	static const uint32_t bounds[] = {1, 250};
	static const uint64_t counts[] = {3, 0, 2};
	struct metric_histogram histogram = {bounds, counts, 2, 1e-3, 4500};
	struct buf out = {0}, labels = {0};

	(void)state;
	metric_histogram(&out, "h", BYTES_NONE, &histogram);
	metric_label(&labels, "a", BYTES_LITERAL("1"));
	metric_histogram(&out, "h", buf_bytes(&labels), &histogram);
	buf_fini(&labels);
	expect(&out, "h_bucket{le=\"0.001\"} 3\nh_bucket{le=\"0.25\"} 3\nh_bucket{le=\"+Inf\"} 5\nh_sum "
		     "4.5\nh_count 5\n"
		     "h_bucket{a=\"1\",le=\"0.001\"} 3\nh_bucket{a=\"1\",le=\"0.25\"} "
		     "3\nh_bucket{a=\"1\",le=\"+Inf\"} 5\n"
		     "h_sum{a=\"1\"} 4.5\nh_count{a=\"1\"} 5\n");
}

int
main(void)
{
	struct CMUnitTest tests[2 + sizeof label_cases / sizeof label_cases[0]] = {
	    cmocka_unit_test(test_a_family_and_its_samples), cmocka_unit_test(test_a_histogram_is_summed_up)};

	for (size_t i = 0; i < sizeof label_cases / sizeof label_cases[0]; i++)
		tests[2 + i] =
		    (struct CMUnitTest){label_cases[i].name, test_label, NULL, NULL, (void *)&label_cases[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
