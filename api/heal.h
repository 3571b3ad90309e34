/*
 * Coming back from a bad disk by itself. The maintenance thread looks once a turn:
 *
 *     full, failing   try a small commit each turn: the first that goes through ends it
 *     sealed          when the disk can be written again, start the process over in place (API-RENEW): opening the shard re-reads the
 *                     journal's end from the disk, writes it once more and syncs that, cuts off what is not whole (nobody was told that it
 *                     was written), and replays the journal into the store. Where the store is damaged it is made again from the
 *                     journal, if that is whole; if not, reads go on and a person is asked for (docs/operations.md)
 *
 * The shard is not opened anew within the process: requests, snapshots and sessions of peers hold its parts, and a fresh process is
 * what recovery is tested with. Until then reads go on from what was published. Renewals come at growing intervals, 1 s to 64 s, for
 * as long as they do not help.
 */
#ifndef TIDE_API_HEAL_H
#define TIDE_API_HEAL_H

#include "api/region.h"

/* Zero-initialised. */
struct heal {
	uint64_t since_ms; /* when the seal was first seen, monotonic; 0: there is none */
	uint64_t next_ms; /* not before */
	uint64_t probes; /* that failed */
};

/** One look. `now_ms` is monotonic. False: the shard is sealed. Maintenance thread; may wait for the committer and for the disk. */
bool heal_step(struct region *region, struct heal *heal, uint64_t now_ms);

/** Write and sync `bytes` in a folder, and remove them again. TIDE_FULL, TIDE_IO: it cannot be written to. */
tide_err heal_probe(const char *dir, uint64_t bytes, struct tide_error *error);

#endif
