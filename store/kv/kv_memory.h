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

#endif
