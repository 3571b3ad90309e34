#include "deploy/places.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"

#define PLACES_MAX 255 /* region numbers are 1..255 */

static tide_err
add(struct places *places, const struct place *place, struct tide_error *error)
{
	struct place *at;

	if (places->n == PLACES_MAX)
		return tide_fail(error, TIDE_USAGE, "more than %d regions", PLACES_MAX);
	at = realloc(places->at, (places->n + 1) * sizeof *at);
	if (at == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	places->at = at;
	places->at[places->n++] = *place;
	return TIDE_OK;
}

static tide_err
add_config(struct places *places, const char *path, struct tide_error *error)
{
	struct place place = {0};
	struct config *config = malloc(sizeof *config);
	const char *host;
	tide_err rc;

	if (config == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	rc = config_load(path, config, error);
	if (rc == TIDE_OK) {
		/* A server that listens everywhere is reached here on the loopback address. */
		host = strcmp(config->http.host, "0.0.0.0") == 0 ? "127.0.0.1" : config->http.host;
		snprintf(place.region, sizeof place.region, "%s", config->region);
		place.number = config->number;
		snprintf(place.url, sizeof place.url, "http://%s:%u", host, config->http.port);
		snprintf(place.endpoint, sizeof place.endpoint, "%s", config->replication.endpoint);
		snprintf(place.data, sizeof place.data, "%s", config->data);
		rc = add(places, &place, error);
	}
	free(config);
	return rc;
}

/* DIR/tidemark.conf where DIR is one region's folder, else DIR/REGION/tidemark.conf, by name. */
static tide_err
add_data(struct places *places, const char *dir, struct tide_error *error)
{
	char pattern[4096 + 64];
	glob_t found;
	tide_err rc = TIDE_OK;

	if (snprintf(pattern, sizeof pattern, "%s/tidemark.conf", dir) >= (int)sizeof pattern)
		return tide_fail(error, TIDE_USAGE, "--data: path too long");
	if (access(pattern, F_OK) == 0)
		return add_config(places, pattern, error);
	snprintf(pattern, sizeof pattern, "%s/*/tidemark.conf", dir);
	switch (glob(pattern, 0, NULL, &found)) {
	case 0:
		break;
	case GLOB_NOMATCH:
		return tide_fail(error, TIDE_USAGE, "%s: no region here (no */tidemark.conf)", dir);
	case GLOB_NOSPACE:
		return tide_fail(error, TIDE_NOMEM, NULL);
	default:
		return tide_fail(error, TIDE_USAGE, "%s: %s", dir, strerror(errno));
	}
	for (size_t i = 0; i < found.gl_pathc && rc == TIDE_OK; i++)
		rc = add_config(places, found.gl_pathv[i], error);
	globfree(&found);
	return rc;
}

static tide_err
add_endpoint(struct places *places, const char *address, struct tide_error *error)
{
	struct place place = {0};
	size_t n = strlen(address);

	if (strncmp(address, "http://", 7) == 0 || strncmp(address, "https://", 8) == 0) {
		while (n > 0 && address[n - 1] == '/')
			n--;
		if (n >= sizeof place.url)
			return tide_fail(error, TIDE_USAGE, "--endpoint: address too long");
		memcpy(place.url, address, n);
	} else if (strstr(address, "://") != NULL) {
		if (n >= sizeof place.endpoint)
			return tide_fail(error, TIDE_USAGE, "--endpoint: address too long");
		memcpy(place.endpoint, address, n);
	} else {
		return tide_fail(error, TIDE_USAGE,
		    "--endpoint: '%s' is neither http://HOST:PORT nor an address like "
		    "ipc:///DIR/endpoint.sock",
		    address);
	}
	return add(places, &place, error);
}

tide_err
places_take(struct places *places, int option, const char *value, struct tide_error *error)
{
	switch (option) {
	case 'c':
		return add_config(places, value, error);
	case 'd':
		return add_data(places, value, error);
	case 'e':
		return add_endpoint(places, value, error);
	default:
		return tide_fail(error, TIDE_USAGE, "unknown option (try tidemark --help)");
	}
}

void
places_fini(struct places *places)
{
	free(places->at);
	*places = (struct places){0};
}
