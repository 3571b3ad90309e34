/*
 * What a commit costs below the committer: units of 76 records of 645 bytes, encoded, appended to the journal with one
 * sync each, with and without the same items written to LevelDB as one unsynced batch; then the journal read back.
 *
 *     bench_journal FOLDER [units]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "store/journal/journal.h"
#include "store/kv/kv.h"

#define RECORDS 76
#define ITEM_BYTES 645
#define KEY_BYTES 40
#define TABLE 5
#define CHECKPOINT_UNITS 1000

struct bench {
	struct journal *journal;
	struct kv *kv; /* NULL: journal alone */
	struct kv_batch *batch;
	struct buf encoded;
	uint8_t keys[RECORDS][KEY_BYTES], items[RECORDS][ITEM_BYTES];
	struct record records[RECORDS];
	double *latencies;
};

static double
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
check(tide_err rc, const struct tide_error *error)
{
	if (rc == TIDE_OK)
		return;
	fprintf(stderr, "%s: %s\n", tide_err_name(rc), error != NULL ? error->message : "");
	exit(1);
}

/* Items as real ones are: names that repeat, values that do not (filled in for each unit). */
static void
fill_items(struct bench *b)
{
	static const char shape[] = "customerName deliveryAddress orderStatus createdAt updatedAt lineItems ";

	for (int i = 0; i < RECORDS; i++) {
		for (int j = 0; j < ITEM_BYTES; j++)
			b->items[i][j] = j % 2 == 0 ? (uint8_t)shape[(size_t)j % (sizeof shape - 1)] : ' ';
		for (int j = 0; j < KEY_BYTES; j++)
			b->keys[i][j] = (uint8_t)random();
		b->keys[i][0] = TABLE;
	}
}

static void
commit(struct bench *b, uint64_t seq)
{
	static const uint64_t tables[] = {TABLE};
	const struct jid id = jid_make(1, 1, 0);
	struct unit unit = {
	    .kind = UNIT_LOCAL, .origin = id, .records = b->records, .n_records = RECORDS, .first_seq = seq};
	struct journal_entry entry = {.first_seq = seq,
	    .last_seq = seq + RECORDS - 1,
	    .origin = id,
	    .origin_seq_last = seq + RECORDS - 1,
	    .clock = {seq},
	    .tables = tables,
	    .n_tables = 1};
	struct tide_error error;

	for (int i = 0; i < RECORDS; i++) {
		uint64_t hash = (seq + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15);

		memcpy(b->keys[i] + 8, &hash, sizeof hash);
		for (int j = 1; j < ITEM_BYTES; j += 2) {
			hash = hash * 6364136223846793005U + 1442695040888963407U;
			b->items[i][j] = (uint8_t)(' ' + (hash >> 58));
		}
		b->records[i] = (struct record){.version = {{seq + (uint64_t)i}, id},
		    .origin_seq = seq + (uint64_t)i,
		    .table = TABLE,
		    .key = bytes_of(b->keys[i], KEY_BYTES),
		    .image = bytes_of(b->items[i], ITEM_BYTES),
		    .count_delta = 1,
		    .bytes_delta = ITEM_BYTES,
		    .fingerprint_delta = hash};
	}
	buf_clear(&b->encoded);
	unit_encode_disk(&unit, &b->encoded);
	entry.payload = buf_bytes(&b->encoded);
	check(journal_append(b->journal, &entry, 1, &error), &error);
	if (b->kv == NULL)
		return;
	kv_batch_clear(b->batch);
	for (int i = 0; i < RECORDS; i++)
		kv_batch_put(b->batch, b->records[i].key, b->records[i].image);
	check(kv_write(b->kv, b->batch), NULL);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
run(struct bench *b, const char *name, uint64_t units)
{
	double began = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID),
	       puts = (double)units * RECORDS;
	double barrier_max = 0;

	for (uint64_t i = 0; i < units; i++) {
		double at = now(CLOCK_MONOTONIC);

		commit(b, journal_last_seq(b->journal) + 1);
		b->latencies[i] = now(CLOCK_MONOTONIC) - at;
		if (b->kv != NULL && (i + 1) % CHECKPOINT_UNITS == 0) {
			at = now(CLOCK_MONOTONIC);
			check(kv_barrier(b->kv), NULL);
			at = now(CLOCK_MONOTONIC) - at;
			barrier_max = at > barrier_max ? at : barrier_max;
		}
	}
	began = now(CLOCK_MONOTONIC) - began;
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	qsort(b->latencies, units, sizeof *b->latencies, compare);
	printf("%-22s %8.0f puts/s  %5.1f us CPU per put  unit p50 %.0f us p99 %.0f us max %.0f us  barrier "
	       "max %.0f ms\n",
	    name, puts / began, cpu / puts * 1e6, b->latencies[units / 2] * 1e6,
	    b->latencies[units * 99 / 100] * 1e6, b->latencies[units - 1] * 1e6, barrier_max * 1e3);
}

static void
read_back(struct bench *b)
{
	double began = now(CLOCK_MONOTONIC);
	struct journal_reader *reader;
	struct tide_error error;
	struct bytes payload;
	uint64_t bytes = 0;
	tide_err rc;

	check(journal_reader_open(b->journal, journal_first_seq(b->journal), &reader, &error), &error);
	while ((rc = journal_reader_next(reader, &payload, NULL, &error)) == TIDE_OK)
		bytes += payload.n;
	if (rc != TIDE_NOTFOUND)
		check(rc, &error);
	journal_reader_close(reader);
	began = now(CLOCK_MONOTONIC) - began;
	printf("%-22s %8.0f MB/s over %.0f MB\n", "journal read back", (double)bytes / began / 1e6,
	    (double)bytes / 1e6);
}

int
main(int argc, char **argv)
{
	uint64_t units = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000;
	struct journal_options options = {.id = jid_make(1, 1, 0), .create = true};
	struct kv_options kv_options = {.create = true};
	struct bench *b = calloc(1, sizeof *b);
	struct tide_error error;
	char journal_dir[4096], kv_dir[4096];
	double began;

	if (argc < 2 || b == NULL || units == 0 ||
	    (b->latencies = calloc(units, sizeof *b->latencies)) == NULL) {
		fprintf(stderr, "usage: bench_journal FOLDER [units]\n");
		return 2;
	}
	snprintf(journal_dir, sizeof journal_dir, "%s/journal", argv[1]);
	snprintf(kv_dir, sizeof kv_dir, "%s/store", argv[1]);
	fill_items(b);
	check(journal_open("segments", journal_dir, &options, &b->journal, &error), &error);
	run(b, "journal alone", units);
	read_back(b);
	check(kv_open("leveldb", kv_dir, &kv_options, &b->kv, &error), &error);
	b->batch = kv_batch_new(b->kv);
	run(b, "journal and LevelDB", units);
	journal_close(b->journal);
	began = now(CLOCK_MONOTONIC);
	check(journal_open("segments", journal_dir, &options, &b->journal, &error), &error);
	printf("%-22s %8.1f ms\n", "journal reopened", (now(CLOCK_MONOTONIC) - began) * 1e3);
	journal_close(b->journal);
	kv_batch_free(b->batch);
	kv_close(b->kv);
	buf_fini(&b->encoded);
	free(b->latencies);
	free(b);
	return 0;
}
