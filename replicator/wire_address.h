/* Addresses as the configuration writes them: "tcp://HOST:PORT", "tls+tcp://HOST:PORT", "ipc://PATH". Within replicator/ only. */
#ifndef TIDE_REPLICATOR_WIRE_ADDRESS_H
#define TIDE_REPLICATOR_WIRE_ADDRESS_H

#include <stdbool.h>

#include "base/error.h"

#define ADDRESS_PATH_MAX 107 /* sun_path without its NUL */

struct address {
	bool ipc, tls;
	char path[ADDRESS_PATH_MAX + 1]; /* ipc */
	char host[256], port[16]; /* else; host "": any */
};

/** Take it apart. TIDE_USAGE: `error` says what is wrong with it. Any thread. */
tide_err address_read(const char *text, struct address *out, struct tide_error *error);

#endif
