/*
 * Damaged folders: what is flipped, cut or gone is named by the check, or makes no difference to what the region serves.
 * TIDEMARK_LONG: several hundred flips instead of some dozens.
 */
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/shard/health.h"
#include "tests/unit/shard/world.h"

#define ITEMS 3000
#define FLIPS 60
#define FLIPS_LONG 600

enum { WHOLE, TRIMMED, FOLDERS }; /* by journal */

static char base[64];
static uint64_t made_content;

static void
run(const char *format, const char *a, const char *b)
{
	char command[512];

	snprintf(command, sizeof command, format, a, b);
	assert_int_equal(system(command), 0);
}

static void
options_of(const char *dir, struct shard_options *options)
{
	*options = (struct shard_options){.dir = dir,
	    .kv_plugin = "leveldb",
	    .journal_plugin = "segments",
	    .region = 1,
	    .segment_bytes = 64 << 10};
}

/* All of a shard that a client or a peer can see. */
static tide_err
content(struct shard *shard, uint64_t *out)
{
	struct shard_scan_range range = {.table = USER_TABLE, .tombstones = true};
	struct shard_view view;
	struct shard_scan *scan;
	struct stored stored;
	struct arena arena;
	struct bytes key;
	uint64_t sum = 14695981039346656037u;
	tide_err rc;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(shard, &arena, &view), TIDE_OK);
	sum += view.last_seq + view.clock.v + view.nonce;
	for (size_t i = 0; i < view.n_tables; i++)
		sum = sum * 31 + view.tables[i].items + (uint64_t)view.tables[i].fingerprint;
	arena_fini(&arena);
	assert_int_equal(shard_scan_open(shard, &range, &scan), TIDE_OK);
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		for (size_t i = 0; i < key.n; i++)
			sum = (sum ^ key.at[i]) * 1099511628211u;
		for (size_t i = 0; i < stored.image.n; i++)
			sum = (sum ^ stored.image.at[i]) * 1099511628211u;
		sum += stored.seq;
	}
	shard_scan_close(scan);
	*out = sum;
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static void
write_items(struct world *world, int from, int to)
{
	char key[32], value[300];

	for (int i = from; i < to; i += 20) {
		struct group *group = group_open(world->shard[1]);

		for (int j = i; j < i + 20 && j < to; j++) {
			snprintf(key, sizeof key, "item-%d", j % (ITEMS - ITEMS / 4));
			for (size_t n = 0; n < sizeof value - 1; n++)
				value[n] = (char)('a' + (j * 7919 + (int)(n * n)) % 26);
			value[sizeof value - 1] = 0;
			assert_int_equal(group_put_text(group, USER_TABLE, key, value), TIDE_OK);
		}
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
	}
}

/* Two folders of equal content: many segments, two checkpoints, tables and a log in the store. One has let old segments go. */
static int
make_folders(void **state)
{
	struct tide_error error;
	struct world world;

	(void)state;
	log_set_level(LOG_ERROR);
	world_open(&world, 1, "leveldb");
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	write_items(&world, 0, ITEMS / 2);
	delete (&world, 1, "item-3");
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	write_items(&world, ITEMS / 2, ITEMS * 3 / 4);
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	write_items(&world, ITEMS * 3 / 4, ITEMS);
	assert_int_equal(content(world.shard[1], &made_content), TIDE_OK);
	region_stop(&world, 1, false);
	strcpy(base, "/tmp/tidemark-damage-XXXXXX");
	assert_non_null(mkdtemp(base));
	run("cp -a %s/1 %s/0", world.dir, base);
	region_start(&world, 1);
	assert_int_equal(journal_trim(shard_journal(world.shard[1]), ITEMS / 2 - 10, &error), TIDE_OK);
	assert_true(journal_first_seq(shard_journal(world.shard[1])) > 1);
	region_stop(&world, 1, false);
	run("cp -a %s/1 %s/1", world.dir, base);
	run("rm -rf %s%s", world.dir, "");
	return 0;
}

static int
remove_folders(void **state)
{
	(void)state;
	run("rm -rf %s%s", base, "");
	return 0;
}

/* A fresh copy of one of them to spoil. */
static const char *
copy(int which)
{
	static char dir[96];
	char from[96];

	snprintf(dir, sizeof dir, "%s/copy", base);
	snprintf(from, sizeof from, "%s/%d", base, which);
	run("rm -rf %s%s", dir, "");
	run("cp -a %s %s", from, dir);
	return dir;
}

static char reported[8192];

static void
report(void *arg, const char *fault)
{
	size_t n = strlen(reported);

	(void)arg;
	snprintf(reported + n, sizeof reported - n, "%s\n", fault);
}

static tide_err
check(const char *dir, struct check_counts *counts, struct tide_error *error)
{
	struct shard_options options;

	options_of(dir, &options);
	reported[0] = 0;
	return shard_check(&options, NULL, report, NULL, counts, error);
}

static tide_err
open_and_read(const char *dir, uint64_t *out, struct shard_health *health, struct tide_error *error)
{
	struct shard_options options;
	struct shard *shard;
	tide_err rc;

	options_of(dir, &options);
	if ((rc = shard_open(&options, &shard, error)) != TIDE_OK)
		return rc;
	if ((rc = content(shard, out)) != TIDE_OK)
		tide_fail(error, rc, "the items cannot be read");
	shard_health(shard, health);
	shard_close(shard, false);
	return rc;
}

/* --- anything, anywhere --- */

static char files[512][256];
static size_t n_files;

static int
take_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const char *name = path + where->base;

	if (type == FTW_F && st->st_size > 0 && n_files < 512 && strcmp(name, "LOCK") != 0 &&
	    strncmp(name, "LOG", 3) != 0)
		snprintf(files[n_files++], sizeof files[0], "%s", path);
	return 0;
}

static void
spoil(const char *path, bool cut, char *story, size_t room)
{
	struct stat st;
	FILE *file = fopen(path, "r+b");
	long at;
	int byte, bit = rand() % 8;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	at = (long)((unsigned)rand() % (unsigned)st.st_size);
	if (cut) {
		assert_int_equal(ftruncate(fileno(file), at), 0);
	} else {
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		byte = fgetc(file);
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		fputc(byte ^ 1 << bit, file);
	}
	fclose(file);
	snprintf(story, room, "%s %s at byte %ld bit %d", path, cut ? "cut" : "flipped", at, bit);
}

static void
a_flipped_bit_or_a_cut_anywhere_is_reported_or_makes_no_difference(void **state)
{
	int n = getenv("TIDEMARK_LONG") != NULL && *getenv("TIDEMARK_LONG") != 0 ? FLIPS_LONG : FLIPS;
	int found = 0;

	(void)state;
	srand(20260101);
	for (int i = 0; i < n; i++) {
		const char *dir = copy(i % FOLDERS);
		struct shard_health health;
		struct check_counts counts;
		struct tide_error error = {0};
		char story[512];
		uint64_t sum;

		n_files = 0;
		assert_int_equal(nftw(dir, take_file, 16, FTW_PHYS), 0);
		spoil(files[(unsigned)rand() % n_files], i % 3 == 2, story, sizeof story);
		if (check(dir, &counts, &error) != TIDE_OK || counts.faults > 0) {
			found++;
			continue;
		}
		if (open_and_read(dir, &sum, &health, &error) != TIDE_OK)
			fail_msg("%s: the check found nothing, and then: %s", story, error.message);
		if (sum != made_content)
			fail_msg("%s: the check found nothing, and the content is another", story);
	}
	/* Most of a folder matters. */
	assert_true(found > n / 4);
}

/* --- what is not there any more --- */

enum outcome {
	SAME, /* all is served, as if nothing had been */
	DAMAGED, /* the same, and said to be damaged */
	REFUSED, /* it does not open */
};

static const struct missing_case {
	const char *name;
	int folder;
	const char *remove; /* in a shell, in the folder */
	enum outcome outcome;
	const char *says;
} missing_cases[] = {
    {"the store's CURRENT", WHOLE, "rm store/CURRENT", SAME, ""},
    {"the store's manifest", WHOLE, "rm store/MANIFEST-*", SAME, ""},
    {"a table of the store", WHOLE, "rm $(ls store/*.ldb | head -1)", SAME, ""},
    {"the store's log", WHOLE, "rm store/*.log", SAME, ""},
    {"the store", WHOLE, "rm -r store", SAME, ""},
    {"store and checkpoints", WHOLE, "rm -r store checkpoint-*", SAME, ""},
    {"the newer checkpoint", WHOLE, "rm $(ls checkpoint-* | tail -1)", SAME, ""},
    {"all checkpoints", WHOLE, "rm checkpoint-*", SAME, ""},
    {"a segment's index", WHOLE, "rm $(ls journal/*.idx | head -1)", SAME, ""},
    {"all indexes", WHOLE, "rm journal/*.idx", SAME, ""},
    {"a segment below the checkpoint", WHOLE, "rm $(ls journal/*.seg | sed -n 2p)", DAMAGED,
	"no segment begins with"},
    {"a header below the checkpoint", WHOLE,
	"printf x | dd of=$(ls journal/*.seg | sed -n 2p) conv=notrunc status=none", DAMAGED, "bad header"},
    {"the last segment", WHOLE, "rm $(ls journal/*.seg | tail -1)", REFUSED, "is missing"},
    {"the last segment and its trace", WHOLE,
	"rm $(ls journal/*.seg | tail -1) $(ls journal/*.idx | tail -1)", REFUSED,
	"the journal's end is missing"},
    {"a segment above the checkpoint", WHOLE, "rm $(ls journal/*.seg | tail -2 | head -1)", REFUSED,
	"no segment begins with"},
    {"all of the journal", WHOLE, "rm -r journal", REFUSED, "no journal"},
    {"the identity", WHOLE, "rm identity", SAME, ""},
    {"the identity's copy", WHOLE, "rm identity.copy", SAME, ""},
    {"the identity and its copy", WHOLE, "rm identity identity.copy", REFUSED, "identity"},
    {"the store's CURRENT, of a trimmed journal", TRIMMED, "rm store/CURRENT", REFUSED,
	"the journal begins at sequence"},
    {"a table of the store, of a trimmed journal", TRIMMED, "rm $(ls store/*.ldb | head -1)", REFUSED,
	"the journal begins at sequence"},
    {"the store, of a trimmed journal", TRIMMED, "rm -r store", REFUSED, "the store is missing"},
    {"the store's log, of a trimmed journal", TRIMMED, "rm store/*.log", SAME, ""},
    {"all checkpoints, of a trimmed journal", TRIMMED, "rm checkpoint-*", REFUSED, "checkpoint"},
    {"the newer checkpoint, of a trimmed journal", TRIMMED, "rm $(ls checkpoint-* | tail -1)", SAME, ""},
};

static void
what_is_missing_is_made_again_or_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof missing_cases / sizeof *missing_cases; i++) {
		const struct missing_case *c = &missing_cases[i];
		const char *dir = copy(c->folder);
		struct shard_health health = {0};
		struct tide_error error = {0};
		uint64_t sum = 0;
		tide_err rc;

		run("cd %s && %s", dir, c->remove);
		rc = open_and_read(dir, &sum, &health, &error);
		if ((rc == TIDE_OK) != (c->outcome != REFUSED))
			fail_msg("%s: %s %s", c->name, tide_err_name(rc), rc == TIDE_OK ? "" : error.message);
		if (c->outcome == REFUSED && strstr(error.message, c->says) == NULL)
			fail_msg("%s: it says: %s", c->name, error.message);
		if (c->outcome != REFUSED && sum != made_content)
			fail_msg("%s: the content is another", c->name);
		if (c->outcome != REFUSED && (health.state == SHARD_DAMAGED) != (c->outcome == DAMAGED))
			fail_msg("%s: its state is %s", c->name, shard_state_name(health.state));
		if (c->outcome == DAMAGED && strstr(health.journal[0], c->says) == NULL)
			fail_msg("%s: it says: %s", c->name, health.journal[0]);
	}
}

/* --- a block of the store that cannot be read --- */

/* Spoil a block amid the largest table file. */
static void
spoil_block(const char *dir)
{
	run("cd %s && f=$(ls -S store/*.ldb | head -1) && %s", dir,
	    "printf '\\000\\001\\002\\003\\004\\005' | "
	    "dd of=$f bs=1 seek=$(($(stat -c %s $f) / 2)) conv=notrunc status=none");
}

static void
a_block_that_cannot_be_read_costs_its_keys_and_no_others(void **state)
{
	struct shard_options options;
	struct tide_error error = {0};
	struct shard_health health;
	const char *dir = copy(TRIMMED);
	struct shard *shard;
	struct stored stored;
	struct buf raw = {0};
	int damaged = 0, fine = 0;
	uint64_t sum;

	(void)state;
	spoil_block(dir);
	options_of(dir, &options);
	assert_int_equal(shard_open(&options, &shard, &error), TIDE_OK);
	for (int i = 0; i < ITEMS - ITEMS / 4; i++) {
		struct buf key = {0};
		char name[32];
		tide_err rc;

		snprintf(name, sizeof name, "item-%d", i);
		text_key(name, &key);
		rc = shard_get(shard, USER_TABLE, buf_bytes(&key), &raw, &stored);
		damaged += rc == TIDE_CORRUPT;
		fine += rc == TIDE_OK;
		buf_fini(&key);
	}
	buf_fini(&raw);
	assert_true(damaged > 0);
	assert_true(fine > ITEMS / 2);
	/* A walk leaves nothing out in silence. */
	assert_int_equal(content(shard, &sum), TIDE_CORRUPT);
	shard_health(shard, &health);
	assert_int_equal(health.state, SHARD_DAMAGED);
	assert_true(health.ranges >= 1 && health.ranges <= 3);
	assert_int_equal(health.damage[0].table, USER_TABLE);
	assert_non_null(strstr(health.damage[0].after, "\"item-"));
	assert_non_null(strstr(health.damage[0].before, "\"item-"));
	assert_true(health.reads_failed >= (uint64_t)damaged);
	shard_close(shard, false);
}

/* LevelDB takes a last record that is not whole for one that was being written: it opens without a word, and without the table in it. */
static void
cut_manifest(const char *dir)
{
	char pattern[256];
	uint8_t head[7];
	long at = 0, last = 0;
	glob_t found;
	FILE *file;

	snprintf(pattern, sizeof pattern, "%s/store/MANIFEST-*", dir);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_non_null(file = fopen(found.gl_pathv[0], "r+b"));
	/* Records of one block: checksum (4), length (2, little-endian), type (1), payload. */
	while (fseek(file, at, SEEK_SET) == 0 && fread(head, 1, sizeof head, file) == sizeof head) {
		last = at;
		at += (long)sizeof head + head[4] + 256 * head[5];
	}
	assert_true(last > 0);
	assert_int_equal(ftruncate(fileno(file), last + 8), 0);
	fclose(file);
	globfree(&found);
}

static void
a_manifest_that_lost_its_end_is_told_by_what_the_store_has_seen(void **state)
{
	(void)state;
	for (int which = 0; which < FOLDERS; which++) {
		struct shard_health health;
		struct tide_error error = {0};
		struct world world;
		char dir[128];
		uint64_t was, sum = 0;

		world_open(&world, 1, "leveldb");
		set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
		write_items(&world, 0, 600);
		assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
		write_items(&world, 600, 1200);
		assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
		if (which == TRIMMED)
			assert_int_equal(journal_trim(shard_journal(world.shard[1]), 600, &error), TIDE_OK);
		assert_int_equal(content(world.shard[1], &was), TIDE_OK);
		region_stop(&world, 1, false);
		snprintf(dir, sizeof dir, "%s/1", world.dir);
		cut_manifest(dir);
		assert_int_equal(
		    open_and_read(dir, &sum, &health, &error), which == WHOLE ? TIDE_OK : TIDE_CORRUPT);
		if (which == WHOLE)
			assert_true(sum == was);
		else if (strstr(error.message, "has lost what it held") == NULL)
			fail_msg("it says: %s", error.message);
		run("rm -rf %s%s", world.dir, "");
	}
}

static void
the_check_names_the_keys_and_repairs_where_the_journal_is_whole(void **state)
{
	struct shard_options options;
	struct shard_health health;
	struct check_counts counts;
	struct tide_error error = {0};
	uint64_t sum;

	(void)state;
	for (int which = 0; which < FOLDERS; which++) {
		const char *dir = copy(which);

		spoil_block(dir);
		options_of(dir, &options);
		assert_int_equal(check(dir, &counts, &error), TIDE_OK);
		assert_true(counts.store_faults > 0);
		assert_int_equal(counts.journal_faults, 0);
		assert_non_null(strstr(reported, "table 0000000000000064: keys from behind \"item-"));
		assert_non_null(strstr(reported, "cannot be read"));
		assert_int_equal(counts.store_can_be_made_again, which == WHOLE);
		assert_int_equal(shard_repair(&options, &error), which == WHOLE ? TIDE_OK : TIDE_CORRUPT);
		if (which != WHOLE)
			continue;
		assert_int_equal(check(dir, &counts, &error), TIDE_OK);
		assert_int_equal(counts.faults, 0);
		assert_int_equal(open_and_read(dir, &sum, &health, &error), TIDE_OK);
		assert_true(sum == made_content);
		assert_int_equal(health.state, SHARD_OK);
	}
}

static void
the_check_names_every_damaged_place_of_the_journal(void **state)
{
	const char *dir = copy(WHOLE);
	struct check_counts counts;
	struct tide_error error = {0};

	(void)state;
	run("cd %s && for n in 2 3; do f=$(ls journal/*.seg | sed -n ${n}p) && %s; done", dir,
	    "printf 'xx' | dd of=$f bs=1 seek=30000 conv=notrunc status=none && "
	    "printf 'xx' | dd of=$f bs=1 seek=50000 conv=notrunc status=none");
	assert_int_equal(check(dir, &counts, &error), TIDE_OK);
	assert_int_equal(counts.journal_faults, 4);
	assert_false(counts.store_can_be_made_again);
	assert_non_null(strstr(reported, ".seg: bytes "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_missing_is_made_again_or_named),
	    cmocka_unit_test(a_block_that_cannot_be_read_costs_its_keys_and_no_others),
	    cmocka_unit_test(a_manifest_that_lost_its_end_is_told_by_what_the_store_has_seen),
	    cmocka_unit_test(the_check_names_the_keys_and_repairs_where_the_journal_is_whole),
	    cmocka_unit_test(the_check_names_every_damaged_place_of_the_journal),
	    cmocka_unit_test(a_flipped_bit_or_a_cut_anywhere_is_reported_or_makes_no_difference),
	};

	return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
