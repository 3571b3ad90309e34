/* A journal in memory, for simulators and tests: an array of units under one lock. */
#include "store/journal/journal_memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/journal/journal_plugin.h"

#define SEGMENT_BYTES_DEFAULT ((uint64_t)64 * 1024 * 1024)

struct stored {
	struct journal_entry entry; /* payload and tables lie behind it, in the same memory */
	bool begins_segment;
	_Alignas(uint64_t) uint8_t at[];
};

/* What outlives an open journal; a journal without a disk has one of its own. */
struct disk {
	struct disk *next;
	char *name; /* NULL: belongs to one journal */
	bool open;
	pthread_mutex_t lock; /* guards what follows */
	struct jid id; /* JID_NONE: no journal was made on it yet */
	struct stored **units;
	size_t n, room;
	size_t n_shown; /* units that the journal open now shows: survivors of a failed sync come after */
	uint64_t trimmed; /* last sequence that was trimmed away */
	uint64_t segment_bytes; /* payload bytes since the last seal */
	bool seal_next; /* the next unit begins a segment */
	tide_err fail_next; /* TIDE_OK: nothing */
	uint32_t survivors;
	bool full; /* every append fails */
	uint64_t damaged; /* a sequence in the unit that cannot be read; 0: none */
};

struct memory {
	struct journal base;
	struct disk *disk;
	uint64_t segment_bytes, bytes;
	bool unknown, read_only;
};

struct memory_reader {
	struct journal_reader base;
	struct memory *journal;
	uint64_t from, passed;
	uint64_t *tables;
	uint32_t n_tables;
	struct buf payload;
};

static pthread_mutex_t disks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct disk *disks;

/* ---- disks ---- */

static void
disk_free(struct disk *disk)
{
	if (disk == NULL)
		return;
	for (size_t i = 0; i < disk->n; i++)
		free(disk->units[i]);
	pthread_mutex_destroy(&disk->lock);
	free(disk->units);
	free(disk->name);
	free(disk);
}

/* `name` NULL: of one journal. NULL: no memory. */
static struct disk *
disk_new(const char *name)
{
	struct disk *disk = calloc(1, sizeof *disk);

	if (disk == NULL || (name != NULL && (disk->name = strdup(name)) == NULL)) {
		free(disk);
		return NULL;
	}
	pthread_mutex_init(&disk->lock, NULL);
	return disk;
}

/* `disks_lock` is held. */
static struct disk **
disk_find(const char *name)
{
	struct disk **at = &disks;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

tide_err
journal_memory_disk_make(const char *dir)
{
	struct disk *disk = disk_new(dir);
	tide_err rc = TIDE_OK;

	if (disk == NULL)
		return TIDE_NOMEM;
	pthread_mutex_lock(&disks_lock);
	if (*disk_find(dir) != NULL) {
		rc = TIDE_FENCED;
	} else {
		disk->next = disks;
		disks = disk;
		disk = NULL;
	}
	pthread_mutex_unlock(&disks_lock);
	disk_free(disk);
	return rc;
}

/* `disks_lock` is held. */
static struct disk *
disk_take(const char *name)
{
	struct disk **at = disk_find(name), *disk = *at;

	if (disk != NULL) {
		assert(!disk->open);
		*at = disk->next;
	}
	return disk;
}

void
journal_memory_disk_destroy(const char *dir)
{
	struct disk *disk;

	pthread_mutex_lock(&disks_lock);
	disk = disk_take(dir);
	pthread_mutex_unlock(&disks_lock);
	disk_free(disk);
}

void
memory_moved(const char *from, const char *to)
{
	struct disk *disk, *replaced = NULL;
	char *name = strdup(to);

	pthread_mutex_lock(&disks_lock);
	if (name != NULL && (disk = *disk_find(from)) != NULL) {
		replaced = disk_take(to);
		free(disk->name);
		disk->name = name;
		name = NULL;
	}
	pthread_mutex_unlock(&disks_lock);
	disk_free(replaced);
	free(name);
}

/* `disks_lock` is held. Is there a disk in the same folder? */
static bool
has_sibling(const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t n = slash != NULL ? (size_t)(slash - name) + 1 : 0;

	for (const struct disk *disk = disks; disk != NULL && n > 0; disk = disk->next)
		if (strncmp(disk->name, name, n) == 0 && strchr(disk->name + n, '/') == NULL)
			return true;
	return false;
}

tide_err
journal_memory_disk_fail_next(const char *dir, tide_err rc, uint32_t survivors)
{
	struct disk *disk;

	pthread_mutex_lock(&disks_lock);
	if ((disk = *disk_find(dir)) != NULL) {
		pthread_mutex_lock(&disk->lock);
		disk->fail_next = rc;
		disk->survivors = survivors;
		pthread_mutex_unlock(&disk->lock);
	}
	pthread_mutex_unlock(&disks_lock);
	return disk != NULL ? TIDE_OK : TIDE_NOTFOUND;
}

tide_err
journal_memory_disk_full(const char *dir, bool full)
{
	struct disk *disk;

	pthread_mutex_lock(&disks_lock);
	if ((disk = *disk_find(dir)) != NULL) {
		pthread_mutex_lock(&disk->lock);
		disk->full = full;
		pthread_mutex_unlock(&disk->lock);
	}
	pthread_mutex_unlock(&disks_lock);
	return disk != NULL ? TIDE_OK : TIDE_NOTFOUND;
}

tide_err
journal_memory_disk_damage(const char *dir, uint64_t seq)
{
	struct disk *disk;

	pthread_mutex_lock(&disks_lock);
	if ((disk = *disk_find(dir)) != NULL) {
		pthread_mutex_lock(&disk->lock);
		disk->damaged = seq;
		pthread_mutex_unlock(&disk->lock);
	}
	pthread_mutex_unlock(&disks_lock);
	return disk != NULL ? TIDE_OK : TIDE_NOTFOUND;
}

tide_err
memory_peek_id(const char *dir, struct jid *id, struct tide_error *error)
{
	struct disk *disk;
	bool found;

	pthread_mutex_lock(&disks_lock);
	disk = *disk_find(dir);
	found = disk != NULL && !jid_same(disk->id, JID_NONE);
	if (found)
		*id = disk->id;
	pthread_mutex_unlock(&disks_lock);
	return found ? TIDE_OK : tide_fail(error, TIDE_NOTFOUND, "journal %s: there is none", dir);
}

/* ---- open and close ---- */

static struct memory *
memory_of(const struct journal *journal)
{
	return (struct memory *)journal;
}

/* `disks_lock` is held. */
static tide_err
attach(struct disk *disk, const char *dir, const struct journal_options *options, struct tide_error *error)
{
	if (disk->open && !options->read_only)
		return tide_fail(error, TIDE_FENCED, "journal %s: is open already", dir);
	if (jid_same(disk->id, JID_NONE) && !options->create)
		return tide_fail(error, TIDE_NOTFOUND, "journal %s: there is none", dir);
	if (!jid_same(disk->id, JID_NONE) && !jid_same(disk->id, options->id))
		return tide_fail(error, TIDE_FENCED, "journal %s: belongs to journal %08x, not to %08x", dir,
		    disk->id.v, options->id.v);
	if (options->read_only)
		return TIDE_OK;
	disk->id = options->id;
	disk->open = true;
	disk->n_shown = disk->n;
	return TIDE_OK;
}

static tide_err
memory_open(
    const char *dir, const struct journal_options *options, struct journal **out, struct tide_error *error)
{
	struct memory *m = calloc(1, sizeof *m);
	struct disk *disk = NULL;
	tide_err rc = TIDE_OK;

	if (m == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	pthread_mutex_lock(&disks_lock);
	if (dir != NULL)
		disk = *disk_find(dir);
	if (disk == NULL) {
		bool stays = dir != NULL && options->create && has_sibling(dir);

		if ((disk = disk_new(stays ? dir : NULL)) == NULL)
			rc = tide_fail(error, TIDE_NOMEM, NULL);
		else if (stays) {
			disk->next = disks;
			disks = disk;
		}
	}
	if (rc == TIDE_OK && (rc = attach(disk, dir != NULL ? dir : "(memory)", options, error)) != TIDE_OK &&
	    disk->name == NULL)
		disk_free(disk);
	pthread_mutex_unlock(&disks_lock);
	if (rc != TIDE_OK) {
		free(m);
		return rc;
	}
	m->base.plugin = &journal_memory;
	m->disk = disk;
	m->read_only = options->read_only;
	m->segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
	*out = &m->base;
	return TIDE_OK;
}

static void
memory_close(struct journal *journal)
{
	struct memory *m = memory_of(journal);

	pthread_mutex_lock(&disks_lock);
	if (!m->read_only)
		m->disk->open = false;
	pthread_mutex_unlock(&disks_lock);
	if (m->disk->name == NULL)
		disk_free(m->disk);
	free(m);
}

/* ---- append ---- */

static struct stored *
stored_new(const struct journal_entry *entry)
{
	size_t tables = entry->n_tables * sizeof *entry->tables;
	struct stored *unit = malloc(sizeof *unit + tables + entry->payload.n);

	if (unit == NULL)
		return NULL;
	unit->entry = *entry;
	unit->begins_segment = false;
	if (tables > 0)
		memcpy(unit->at, entry->tables, tables);
	if (entry->payload.n > 0)
		memcpy(unit->at + tables, entry->payload.at, entry->payload.n);
	unit->entry.tables = (const uint64_t *)(const void *)unit->at;
	unit->entry.payload.at = unit->at + tables;
	return unit;
}

/* Put the first `n` entries on the disk: all or none. `lock` is held. */
static tide_err
store(struct memory *m, const struct journal_entry *entries, uint32_t n)
{
	struct disk *disk = m->disk;

	if (disk->n + n > disk->room) {
		size_t room = disk->n + n > 2 * disk->room ? disk->n + n : 2 * disk->room;
		struct stored **units = realloc(disk->units, room * sizeof *units);

		if (units == NULL)
			return TIDE_NOMEM;
		disk->units = units;
		disk->room = room;
	}
	for (uint32_t i = 0; i < n; i++) {
		if ((disk->units[disk->n + i] = stored_new(&entries[i])) != NULL)
			continue;
		while (i-- > 0)
			free(disk->units[disk->n + i]);
		return TIDE_NOMEM;
	}
	if (n > 0 && (disk->seal_next || disk->segment_bytes >= m->segment_bytes)) {
		disk->units[disk->n]->begins_segment = true;
		disk->seal_next = false;
		disk->segment_bytes = 0;
	}
	for (uint32_t i = 0; i < n; i++)
		disk->segment_bytes += entries[i].payload.n;
	disk->n += n;
	return TIDE_OK;
}

static tide_err
append_locked(struct memory *m, const struct journal_entry *entries, uint32_t n)
{
	struct disk *disk = m->disk;
	tide_err rc = disk->fail_next;

	if (m->unknown)
		return TIDE_UNKNOWN;
	if (disk->full)
		return TIDE_FULL;
	if (rc != TIDE_OK) {
		disk->fail_next = TIDE_OK;
		if (rc != TIDE_UNKNOWN)
			return rc;
		m->unknown = true;
		store(m, entries, disk->survivors < n ? disk->survivors : n);
		return rc;
	}
	if ((rc = store(m, entries, n)) != TIDE_OK)
		return rc;
	disk->n_shown = disk->n;
	for (uint32_t i = 0; i < n; i++)
		m->bytes += entries[i].payload.n;
	return TIDE_OK;
}

static tide_err
memory_append(
    struct journal *journal, const struct journal_entry *entries, uint32_t n, struct tide_error *error)
{
	struct memory *m = memory_of(journal);
	tide_err rc;

	if (m->read_only)
		return tide_fail(error, TIDE_USAGE, "the journal is open for reading only");
	pthread_mutex_lock(&m->disk->lock);
	rc = append_locked(m, entries, n);
	pthread_mutex_unlock(&m->disk->lock);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static uint64_t
last_seq(const struct disk *disk)
{
	return disk->n_shown == 0 ? disk->trimmed : disk->units[disk->n_shown - 1]->entry.last_seq;
}

static uint64_t
first_seq(const struct disk *disk)
{
	return disk->trimmed + 1;
}

static uint64_t
memory_last_seq(const struct journal *journal)
{
	struct memory *m = memory_of(journal);
	uint64_t seq;

	pthread_mutex_lock(&m->disk->lock);
	seq = last_seq(m->disk);
	pthread_mutex_unlock(&m->disk->lock);
	return seq;
}

static uint64_t
memory_first_seq(const struct journal *journal)
{
	struct memory *m = memory_of(journal);
	uint64_t seq;

	pthread_mutex_lock(&m->disk->lock);
	seq = first_seq(m->disk);
	pthread_mutex_unlock(&m->disk->lock);
	return seq;
}

static uint64_t
memory_bytes(const struct journal *journal)
{
	struct memory *m = memory_of(journal);
	uint64_t bytes;

	pthread_mutex_lock(&m->disk->lock);
	bytes = m->bytes;
	pthread_mutex_unlock(&m->disk->lock);
	return bytes;
}

static tide_err
memory_seal(struct journal *journal, struct tide_error *error)
{
	struct memory *m = memory_of(journal);

	(void)error;
	pthread_mutex_lock(&m->disk->lock);
	if (m->disk->n_shown > 0)
		m->disk->seal_next = true;
	pthread_mutex_unlock(&m->disk->lock);
	return TIDE_OK;
}

static tide_err
memory_trim(struct journal *journal, uint64_t below_seq, struct tide_error *error)
{
	struct memory *m = memory_of(journal);
	struct disk *disk = m->disk;
	size_t n = 0;

	(void)error;
	pthread_mutex_lock(&m->disk->lock);
	/* A segment goes when the next one begins: `n` is the first unit that stays. */
	for (size_t i = 1; i <= disk->n_shown; i++) {
		bool ends = i < disk->n ? disk->units[i]->begins_segment : disk->seal_next;

		if (disk->units[i - 1]->entry.last_seq >= below_seq)
			break;
		if (ends)
			n = i;
	}
	if (n > 0) {
		disk->trimmed = disk->units[n - 1]->entry.last_seq;
		for (size_t i = 0; i < n; i++)
			free(disk->units[i]);
		disk->n -= n;
		disk->n_shown -= n;
		memmove(disk->units, disk->units + n, disk->n * sizeof(struct stored *));
	}
	pthread_mutex_unlock(&m->disk->lock);
	return TIDE_OK;
}

/* ---- read ---- */

/* The first unit shown that ends at `seq` or later; n_shown: none. */
static size_t
place(const struct disk *disk, uint64_t seq)
{
	size_t low = 0, high = disk->n_shown;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (disk->units[middle]->entry.last_seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
memory_reader_close(struct journal_reader *reader)
{
	struct memory_reader *r = (struct memory_reader *)reader;

	buf_fini(&r->payload);
	free(r->tables);
	free(r);
}

static tide_err
memory_reader_open(
    struct journal *journal, uint64_t from, struct journal_reader **out, struct tide_error *error)
{
	struct memory *m = memory_of(journal);
	struct memory_reader *r;

	if (from < memory_first_seq(journal))
		return tide_fail(
		    error, TIDE_NOTFOUND, "the journal begins after %llu", (unsigned long long)from);
	if ((r = calloc(1, sizeof *r)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	r->base.plugin = &journal_memory;
	r->journal = m;
	r->from = from;
	r->passed = from - 1;
	*out = &r->base;
	return TIDE_OK;
}

static tide_err
memory_reader_filter(struct journal_reader *reader, const uint64_t *tables, uint32_t n)
{
	struct memory_reader *r = (struct memory_reader *)reader;
	uint64_t *copy = NULL;

	if (n > 0) {
		if ((copy = malloc(n * sizeof *copy)) == NULL)
			return TIDE_NOMEM;
		memcpy(copy, tables, n * sizeof *copy);
	}
	free(r->tables);
	r->tables = copy;
	r->n_tables = n;
	return TIDE_OK;
}

static bool
wants(const struct memory_reader *r, const struct journal_entry *entry)
{
	if (r->tables == NULL)
		return true;
	for (uint32_t i = 0; i < entry->n_tables; i++) {
		for (uint32_t j = 0; j < r->n_tables; j++) {
			if (entry->tables[i] == r->tables[j])
				return true;
		}
	}
	return false;
}

/* The next wanted unit into r->payload. `lock` is held. */
static tide_err
next_locked(struct memory_reader *r)
{
	const struct disk *disk = r->journal->disk;
	uint64_t next = r->passed + 1;

	if (next < first_seq(disk))
		return TIDE_GAP;
	for (size_t i = place(disk, next); i < disk->n_shown; i++) {
		const struct journal_entry *entry = &disk->units[i]->entry;

		if (wants(r, entry)) {
			if (disk->damaged >= entry->first_seq && disk->damaged <= entry->last_seq)
				return TIDE_CORRUPT;
			buf_clear(&r->payload);
			buf_append(&r->payload, entry->payload.at, entry->payload.n);
			if (r->payload.failed)
				return TIDE_NOMEM;
			r->passed = entry->last_seq;
			return TIDE_OK;
		}
		r->passed = entry->last_seq;
	}
	return TIDE_NOTFOUND;
}

static tide_err
memory_reader_next(
    struct journal_reader *reader, struct bytes *payload, uint64_t *passed, struct tide_error *error)
{
	struct memory_reader *r = (struct memory_reader *)reader;
	tide_err rc;

	pthread_mutex_lock(&r->journal->disk->lock);
	rc = next_locked(r);
	pthread_mutex_unlock(&r->journal->disk->lock);
	if (rc == TIDE_OK)
		*payload = buf_bytes(&r->payload);
	if ((rc == TIDE_OK || rc == TIDE_NOTFOUND) && passed != NULL)
		*passed = r->passed;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static uint64_t
memory_seek_origin(struct journal *journal, struct jid origin, uint64_t after)
{
	struct memory *m = memory_of(journal);
	struct disk *disk = m->disk;
	uint64_t seq;

	pthread_mutex_lock(&m->disk->lock);
	seq = last_seq(disk) + 1;
	if (jid_same(origin, disk->id)) {
		/* Its own records have the same number as origin sequence and as sequence. */
		seq = after >= seq ? seq : after + 1 < first_seq(disk) ? first_seq(disk) : after + 1;
	} else {
		for (size_t i = 0; i < disk->n_shown; i++) {
			const struct journal_entry *entry = &disk->units[i]->entry;

			if (jid_same(entry->origin, origin) && entry->origin_seq_last > after) {
				seq = entry->first_seq;
				break;
			}
		}
	}
	pthread_mutex_unlock(&m->disk->lock);
	return seq;
}

static uint64_t
memory_seek_clock(struct journal *journal, struct hlc clock)
{
	struct memory *m = memory_of(journal);
	uint64_t seq;

	pthread_mutex_lock(&m->disk->lock);
	seq = last_seq(m->disk) + 1;
	for (size_t i = 0; i < m->disk->n_shown; i++) {
		if (m->disk->units[i]->entry.clock.v >= clock.v) {
			seq = m->disk->units[i]->entry.first_seq;
			break;
		}
	}
	pthread_mutex_unlock(&m->disk->lock);
	return seq;
}

const struct journal_plugin journal_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .append = memory_append,
    .first_seq = memory_first_seq,
    .last_seq = memory_last_seq,
    .bytes = memory_bytes,
    .seal = memory_seal,
    .trim = memory_trim,
    .reader_open = memory_reader_open,
    .reader_filter = memory_reader_filter,
    .reader_next = memory_reader_next,
    .reader_close = memory_reader_close,
    .seek_origin = memory_seek_origin,
    .seek_clock = memory_seek_clock,
};
