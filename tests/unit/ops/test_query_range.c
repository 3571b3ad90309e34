/* Which stored keys a key condition selects, against expr_key_condition_matches as the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/ops/query_range.h"
#include "api/ops/scan_segment.h"
#include "store/item/key.h"
#include "store/item/number.h"

static struct value
scalar(enum value_type type, const char *text)
{
	return (struct value){.type = type, .text = bytes_of_string(text)};
}

static bool
holds(const struct key_range *range, struct bytes key)
{
	return bytes_compare(buf_bytes(&range->from), key) <= 0 &&
	       (range->to.n == 0 || bytes_compare(key, buf_bytes(&range->to)) < 0);
}

static const char *const texts[] = {"a", "aa", "ab", "b", "ba", "\x01", "\xff", "\xff\xff", "abc", "aB", "z"};
static const char *const numbers[] = {
    "0", "1", "-1", "10", "9", "-10", "0.5", "1.5", "100", "-0.5", "12345678901234567890"};

#define N (sizeof texts / sizeof texts[0])

/* Every value as the operand (and every pair for BETWEEN), every value as a sort key. */
static void
check_all(enum value_type type, const char *const *values)
{
	static const enum expr_range ranges[] = {EXPR_RANGE_ALL, EXPR_RANGE_EQ, EXPR_RANGE_LT, EXPR_RANGE_LE,
	    EXPR_RANGE_GT, EXPR_RANGE_GE, EXPR_RANGE_BETWEEN, EXPR_RANGE_BEGINS_WITH};
	struct expr_key_condition condition;
	size_t r, low, high, i;

	for (r = 0; r < sizeof ranges / sizeof ranges[0]; r++)
		for (low = 0; low < N; low++)
			for (high = 0; high < N; high++) {
				struct key_range range = {0};

				if (ranges[r] == EXPR_RANGE_BEGINS_WITH && type == VALUE_N)
					continue;
				condition = (struct expr_key_condition){.partition = scalar(VALUE_S, "p"),
				    .range = ranges[r],
				    .low = scalar(type, values[low]),
				    .high = scalar(type, values[high])};
				assert_int_equal(query_range(&condition, &range), TIDE_OK);
				for (i = 0; i < N; i++) {
					struct value sort = scalar(type, values[i]),
						     other = scalar(VALUE_S, "q");
					struct buf key = {0};

					key_encode(&condition.partition, &sort, &key);
					assert_int_equal(holds(&range, buf_bytes(&key)),
					    expr_key_condition_matches(&condition, &sort));
					buf_clear(&key);
					key_encode(&other, &sort, &key);
					assert_false(holds(&range, buf_bytes(&key)));
					buf_fini(&key);
				}
				key_range_fini(&range);
			}
}

static void
ranges_of_string_sort_keys_hold_what_the_condition_matches(void **state)
{
	(void)state;
	check_all(VALUE_S, texts);
}

static void
ranges_of_binary_sort_keys_hold_what_the_condition_matches(void **state)
{
	(void)state;
	check_all(VALUE_B, texts);
}

static void
ranges_of_number_sort_keys_hold_what_the_condition_matches(void **state)
{
	(void)state;
	check_all(VALUE_N, numbers);
}

/* p = "p" AND q = "q" AND r = "b" AND s IN A RANGE: entries (p, q, r, s, item key) for every r and s. */
static void
ranges_of_the_second_sort_attribute_hold_what_the_condition_matches(void **state)
{
	static const enum expr_range ranges[] = {EXPR_RANGE_EQ, EXPR_RANGE_LT, EXPR_RANGE_LE, EXPR_RANGE_GT,
	    EXPR_RANGE_GE, EXPR_RANGE_BEGINS_WITH};
	struct value partitions[] = {scalar(VALUE_S, "p"), scalar(VALUE_S, "q")};

	(void)state;
	for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
		for (size_t low = 0; low < N; low++) {
			struct expr_key_condition condition = {.partition = partitions[0],
			    .more_partitions = {partitions[1]},
			    .n_more_partitions = 1,
			    .equal_sorts = {scalar(VALUE_S, "b")},
			    .n_equal_sorts = 1,
			    .range = ranges[r],
			    .low = scalar(VALUE_S, texts[low])};
			struct key_range range = {0};

			assert_int_equal(query_range(&condition, &range), TIDE_OK);
			for (size_t i = 0; i < N * N; i++) {
				struct value sorts[] = {
				    scalar(VALUE_S, texts[i / N]), scalar(VALUE_S, texts[i % N])};
				struct buf key = {0};
				bool matches = value_equal(&sorts[0], &condition.equal_sorts[0]) &&
					       expr_key_condition_matches(&condition, &sorts[1]);

				key_encode_composite(partitions, 2, sorts, 2, &key);
				buf_append(&key, "\xff item", 6);
				assert_int_equal(holds(&range, buf_bytes(&key)), matches);
				buf_fini(&key);
			}
			key_range_fini(&range);
		}
	}
}

static void
a_table_without_sort_key_has_one_key_in_the_range(void **state)
{
	struct expr_key_condition condition = {.partition = scalar(VALUE_N, "7"), .range = EXPR_RANGE_ALL};
	struct value other = scalar(VALUE_N, "8");
	struct key_range range = {0};
	struct buf key = {0};

	(void)state;
	assert_int_equal(query_range(&condition, &range), TIDE_OK);
	key_encode(&condition.partition, NULL, &key);
	assert_true(holds(&range, buf_bytes(&key)));
	buf_clear(&key);
	key_encode(&other, NULL, &key);
	assert_false(holds(&range, buf_bytes(&key)));
	buf_fini(&key);
	key_range_fini(&range);
}

static void
a_resumed_range_leaves_out_the_key_it_resumes_after(void **state)
{
	struct expr_key_condition condition = {.partition = scalar(VALUE_S, "p"), .range = EXPR_RANGE_ALL};
	struct value sort;
	struct buf start = {0}, key = {0};
	size_t i;
	int backward;

	(void)state;
	for (backward = 0; backward < 2; backward++)
		for (i = 0; i < N; i++) {
			struct key_range range = {.backward = backward != 0};
			size_t j;

			assert_int_equal(query_range(&condition, &range), TIDE_OK);
			sort = scalar(VALUE_S, texts[i]);
			buf_clear(&start);
			key_encode(&condition.partition, &sort, &start);
			assert_int_equal(key_range_resume(&range, buf_bytes(&start)), TIDE_OK);
			for (j = 0; j < N; j++) {
				int order;

				sort = scalar(VALUE_S, texts[j]);
				buf_clear(&key);
				key_encode(&condition.partition, &sort, &key);
				order = bytes_compare(buf_bytes(&key), buf_bytes(&start));
				assert_int_equal(
				    holds(&range, buf_bytes(&key)), backward != 0 ? order < 0 : order > 0);
			}
			key_range_fini(&range);
		}
	buf_fini(&start);
	buf_fini(&key);
}

static void
segments_share_out_the_hash_with_no_gap_and_no_overlap(void **state)
{
	static const uint32_t totals[] = {1, 2, 3, 4, 7, 16, 999, 1000000};
	static const uint64_t edges[] = {
	    0, 1, UINT64_MAX / 3, UINT64_MAX / 2, UINT64_MAX / 2 + 1, UINT64_MAX - 1, UINT64_MAX};
	size_t t, e;

	(void)state;
	for (t = 0; t < sizeof totals / sizeof totals[0]; t++)
		for (e = 0; e < sizeof edges / sizeof edges[0]; e++) {
			uint32_t i, owners = 0;

			for (i = 0; i < totals[t]; i++) {
				struct scan_segment segment = {i, totals[t]};

				owners += scan_segment_holds(segment, edges[e]);
			}
			assert_int_equal(owners, 1);
		}
}

static void
the_range_of_a_segment_holds_the_keys_of_its_hashes(void **state)
{
	uint32_t i, k;

	(void)state;
	for (k = 0; k < 200; k++) {
		struct value partition;
		struct buf key = {0};
		char text[16];

		snprintf(text, sizeof text, "key-%u", k);
		partition = scalar(VALUE_S, text);
		key_encode(&partition, NULL, &key);
		for (i = 0; i < 7; i++) {
			struct scan_segment segment = {i, 7};
			struct key_range range = {0};

			assert_int_equal(scan_segment_range(segment, &range), TIDE_OK);
			assert_int_equal(holds(&range, buf_bytes(&key)),
			    scan_segment_holds(segment, key_hash(&partition)));
			key_range_fini(&range);
		}
		buf_fini(&key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_of_string_sort_keys_hold_what_the_condition_matches),
	    cmocka_unit_test(ranges_of_binary_sort_keys_hold_what_the_condition_matches),
	    cmocka_unit_test(ranges_of_number_sort_keys_hold_what_the_condition_matches),
	    cmocka_unit_test(ranges_of_the_second_sort_attribute_hold_what_the_condition_matches),
	    cmocka_unit_test(a_table_without_sort_key_has_one_key_in_the_range),
	    cmocka_unit_test(a_resumed_range_leaves_out_the_key_it_resumes_after),
	    cmocka_unit_test(segments_share_out_the_hash_with_no_gap_and_no_overlap),
	    cmocka_unit_test(the_range_of_a_segment_holds_the_keys_of_its_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
