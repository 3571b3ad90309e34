/*
 * The memory store's second door, for simulators and tests: disks that outlive an open store, and power cuts.
 *
 * kv_open("memory", dir) gives a store that is empty and gone when closed, unless a disk of that name was made before:
 * then it opens what the disk holds.
 */
#ifndef TIDE_STORE_KV_MEMORY_H
#define TIDE_STORE_KV_MEMORY_H

#include "store/kv/kv.h"

/** Make an empty disk called `dir`. TIDE_NOMEM; TIDE_FENCED: there is one of this name. Any thread. */
tide_err kv_memory_disk_make(const char *dir);

/** Destroy it; no store may have it open. Takes a name that is none. */
void kv_memory_disk_destroy(const char *dir);

/**
 * A power cut on a disk whose store is closed: the disk goes back to the last barrier, then each batch written since
 * is asked for in order: `keep(context, index)` true: it had reached the disk. NULL `keep`: none had.
 * TIDE_NOMEM: nothing changed.
 */
tide_err kv_memory_disk_crash(const char *dir, bool (*keep)(void *context, size_t index), void *context);

/* What of a store a disk can fail. */
enum kv_memory_call { KV_MEMORY_WRITE, KV_MEMORY_BARRIER };

/**
 * Let the next call of this kind on the disk fail with `rc`: nothing of a failing batch is visible, and a failing barrier puts nothing
 * on disk. As with LevelDB, the store that is open then fails every later write and barrier with `rc`, until it is opened again.
 * TIDE_OK takes the order back. TIDE_NOTFOUND: no such disk. Any thread.
 */
tide_err kv_memory_disk_fail_next(const char *dir, enum kv_memory_call call, tide_err rc);

/** While a disk is full every write, barrier and opening on it is TIDE_FULL, to the effect above. TIDE_NOTFOUND. Any thread. */
tide_err kv_memory_disk_full(const char *dir, bool full);

/**
 * Damage the keys in [from, to) on this disk: to read one of them is TIDE_CORRUPT, an iterator skips it and says so, also after an opening or a crash, and
 * whatever is written there. An empty `to`: nothing is damaged any more. Both are copied. TIDE_NOMEM, TIDE_NOTFOUND. Any thread.
 */
tide_err kv_memory_disk_damage(const char *dir, struct bytes from, struct bytes to);

#endif
