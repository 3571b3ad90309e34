#include "replicator/wire_address.h"

#include <string.h>

/* "HOST:PORT", "[HOST]:PORT", "*:PORT" */
static bool
split_host(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':');
	size_t n;

	if (colon == NULL || colon[1] == 0 || strlen(colon + 1) >= sizeof out->port)
		return false;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (n >= sizeof out->host)
		return false;
	memcpy(out->host, text, n);
	strcpy(out->port, colon + 1);
	if (strcmp(out->host, "*") == 0)
		out->host[0] = 0;
	return true;
}

tide_err
address_read(const char *text, struct address *out, struct tide_error *error)
{
	static const char tcp[] = "tcp://", tls[] = "tls+tcp://", ipc[] = "ipc://";

	*out = (struct address){0};
	if (strncmp(text, ipc, sizeof ipc - 1) == 0) {
		const char *path = text + sizeof ipc - 1;

		if (path[0] == 0 || strlen(path) > ADDRESS_PATH_MAX)
			return tide_fail(
			    error, TIDE_USAGE, "%s: not a path of at most %d bytes", text, ADDRESS_PATH_MAX);
		out->ipc = true;
		strcpy(out->path, path);
		return TIDE_OK;
	}
	out->tls = strncmp(text, tls, sizeof tls - 1) == 0;
	if (!out->tls && strncmp(text, tcp, sizeof tcp - 1) != 0)
		return tide_fail(error, TIDE_USAGE, "%s: not tcp://, tls+tcp:// or ipc://", text);
	if (!split_host(text + (out->tls ? sizeof tls : sizeof tcp) - 1, out))
		return tide_fail(error, TIDE_USAGE, "%s: not HOST:PORT", text);
	return TIDE_OK;
}
