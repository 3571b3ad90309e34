/*
 * The memory journal's second door, for simulators and tests: disks that outlive an open journal, and failing syncs.
 *
 * journal_open("memory", dir) gives a journal that is gone when closed, unless a disk of that name was made before: then
 * it opens what the disk holds. A journal made in the same folder as a disk (by the path up to the last slash) becomes a disk. Options hold as for segments: id, segment_bytes (by payload), create.
 */
#ifndef TIDE_STORE_JOURNAL_MEMORY_H
#define TIDE_STORE_JOURNAL_MEMORY_H

#include "store/journal/journal.h"

/** Make an empty disk called `dir`. TIDE_NOMEM; TIDE_FENCED: there is one of this name. Any thread. */
tide_err journal_memory_disk_make(const char *dir);

/** Destroy it; no journal may have it open. Takes a name that is none. */
void journal_memory_disk_destroy(const char *dir);

/**
 * Let the next append on this disk fail.
 *
 * `rc` TIDE_FULL or TIDE_IO: nothing is written, appending goes on.
 * `rc` TIDE_UNKNOWN: a sync that fails or never returns: a crash in the middle of an append. The first `survivors` units
 * of the append reached the disk, the others are torn off; a later open shows them, this one does not, and
 * each later append is TIDE_UNKNOWN.
 * TIDE_OK takes the order back. TIDE_NOTFOUND: no such disk.
 */
tide_err journal_memory_disk_fail_next(const char *dir, tide_err rc, uint32_t survivors);

/** While a disk is full every append is TIDE_FULL, and nothing of it is written. TIDE_NOTFOUND: no such disk. */
tide_err journal_memory_disk_full(const char *dir, bool full);

/**
 * Damage the unit that holds this sequence: a reader that comes to it is TIDE_CORRUPT and stays there. 0: none is damaged any more.
 * TIDE_NOTFOUND: no such disk.
 */
tide_err journal_memory_disk_damage(const char *dir, uint64_t seq);

#endif
