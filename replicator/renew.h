/*
 * Starting over in place. A replicator keeps nothing, so when its sockets will not connect to an API process that is there
 * (nng 1.5 has been seen not to), the cheapest cure is a fresh process image under the same id.
 */
#ifndef TIDE_REPLICATOR_RENEW_H
#define TIDE_REPLICATOR_RENEW_H

#include <stdbool.h>

/** Does somebody accept connections at this "ipc://PATH"? False for other schemes. Does not block. Any thread. */
bool renew_somebody_listens(const char *address);

/** Run this program again with its own arguments, all files but the standard ones closed. Returns only when it failed. Any thread. */
void renew_self(void);

#endif
