#include "config/keys.h"

#include <assert.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_DEFAULT_MAX 8
#define SOCKET_PATH_MAX 107 /* sun_path without its NUL */

/* Where a value stands, for messages. */
static tide_err
bad(const char *path, const config_setting_t *at, struct tide_error *error, const char *name, const char *why)
{
	const char *file = config_setting_source_file(at);

	return tide_fail(error, TIDE_USAGE, "%s:%u: %s %s", file != NULL ? file : path,
	    (unsigned)config_setting_source_line(at), name, why);
}

static void
put_int(void *base, const struct key *key, int64_t value)
{
	uint8_t *at = (uint8_t *)base + key->offset;

	switch (key->size) {
	case 1:
		*at = (uint8_t)value;
		break;
	case 2:
		memcpy(at, &(uint16_t){(uint16_t)value}, 2);
		break;
	default:
		assert(key->size == 4);
		memcpy(at, &(uint32_t){(uint32_t)value}, 4);
	}
}

static tide_err
read_value(const char *path, const struct key *key, const config_setting_t *from, void *base,
    struct tide_error *error)
{
	int type = config_setting_type(from);
	char name[128], why[256];
	const char *text, *wrong;
	int64_t value;

	snprintf(name, sizeof name, "%s%s%s", key->group != NULL ? key->group : "",
	    key->group != NULL ? "." : "", key->name);
	if (key->kind == KEY_INT) {
		if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
			return bad(path, from, error, name, "must be a whole number");
		value = config_setting_get_int64(from);
		if (value < key->low || value > key->high) {
			snprintf(why, sizeof why, "must be between %lld and %lld, not %lld",
			    (long long)key->low, (long long)key->high, (long long)value);
			return bad(path, from, error, name, why);
		}
		put_int(base, key, value);
		return TIDE_OK;
	}
	if (type != CONFIG_TYPE_STRING)
		return bad(path, from, error, name, "must be a string");
	text = config_setting_get_string(from);
	if (strlen(text) >= key->size) {
		snprintf(why, sizeof why, "is longer than %zu bytes", key->size - 1);
		return bad(path, from, error, name, why);
	}
	if (key->check != NULL && (wrong = key->check(text)) != NULL)
		return bad(path, from, error, name, wrong);
	strcpy((char *)base + key->offset, text);
	return TIDE_OK;
}

static const struct key *
find_key(const struct key *keys, size_t n, const char *group, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (group == NULL ? keys[i].group == NULL
				  : keys[i].group != NULL && strcmp(keys[i].group, group) == 0)
			return &keys[i];
	}
	return NULL;
}

static bool
is_group(const char *name)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		if (config_keys[i].group != NULL && strcmp(config_keys[i].group, name) == 0)
			return true;
	}
	return false;
}

/* "127.0.0.1:8001", "localhost:0", "[::1]:8001" */
static const char *
split_listen(const char *text, struct config *out)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	size_t n;
	unsigned long port;
	char *end;

	if (colon == NULL)
		return "must be HOST:PORT";
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		host++;
		n -= 2;
	} else if (memchr(text, ':', n) != NULL) {
		return "must have an IPv6 address in brackets: [::1]:8001";
	}
	if (n == 0 || n >= sizeof out->http.host)
		return "must be HOST:PORT";
	if (colon[1] < '0' || colon[1] > '9')
		return "must end in a port between 0 and 65535";
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > 65535)
		return "must end in a port between 0 and 65535";
	memcpy(out->http.host, host, n);
	out->http.host[n] = '\0';
	out->http.port = (uint16_t)port;
	return NULL;
}

/* Keys whose text is not a plain string or number field. True: it was one, `*wrong` says what is wrong with it. */
static bool
read_special(
    const char *group, const char *name, const config_setting_t *from, struct config *out, const char **wrong)
{
	const char *text = config_setting_get_string(from);

	*wrong = NULL;
	if (group == NULL && strcmp(name, "log_level") == 0) {
		if (text == NULL || !log_level_parse(text, &out->log_level))
			*wrong = "must be \"error\", \"warn\", \"info\" or \"debug\"";
		return true;
	}
	if (group != NULL && strcmp(group, "http") == 0 && strcmp(name, "listen") == 0) {
		*wrong = text == NULL ? "must be a string" : split_listen(text, out);
		return true;
	}
	return false;
}

static tide_err
read_peer(const char *path, const config_setting_t *from, struct config *out, struct tide_error *error)
{
	struct config_peer *peer = &out->replication.peers[out->replication.n_peers];
	bool seen[8] = {false};
	tide_err rc;

	assert(config_peer_keys_n <= sizeof seen / sizeof seen[0]);
	if (!config_setting_is_group(from))
		return bad(
		    path, from, error, "replication.peers", "must be a list of { region; number; address; }");
	if (out->replication.n_peers == CONFIG_PEERS_MAX)
		return bad(path, from, error, "replication.peers", "has more than 31 peers");
	for (int i = 0; i < config_setting_length(from); i++) {
		const config_setting_t *at = config_setting_get_elem(from, (unsigned)i);
		const struct key *key =
		    find_key(config_peer_keys, config_peer_keys_n, NULL, config_setting_name(at));

		if (key == NULL) {
			char why[128];

			snprintf(why, sizeof why, "has no key %.64s", config_setting_name(at));
			return bad(path, at, error, "a peer", why);
		}
		seen[key - config_peer_keys] = true;
		if ((rc = read_value(path, key, at, peer, error)) != TIDE_OK)
			return rc;
	}
	for (size_t i = 0; i < config_peer_keys_n; i++) {
		char why[64];

		snprintf(why, sizeof why, "has no %s", config_peer_keys[i].name);
		if (!seen[i] &&
		    (config_peer_keys[i].kind == KEY_STRING ? config_peer_keys[i].text == NULL
							    : config_peer_keys[i].fallback == KEY_REQUIRED))
			return bad(path, from, error, "a peer", why);
	}
	if (peer->number == out->number || strcmp(peer->region, out->region) == 0)
		return bad(path, from, error, "a peer", "has this region's own name or number");
	for (uint32_t i = 0; i < out->replication.n_peers; i++) {
		if (peer->number == out->replication.peers[i].number ||
		    strcmp(peer->region, out->replication.peers[i].region) == 0)
			return bad(path, from, error, "a peer", "has the name or number of another peer");
	}
	out->replication.n_peers++;
	return TIDE_OK;
}

static tide_err
read_group(const char *path, const config_setting_t *from, const char *group, bool *seen, struct config *out,
    struct tide_error *error)
{
	tide_err rc;

	for (int i = 0; i < config_setting_length(from); i++) {
		const config_setting_t *at = config_setting_get_elem(from, (unsigned)i);
		const char *name = config_setting_name(at), *wrong;
		const struct key *key;
		char full[160];

		snprintf(full, sizeof full, "%s%s%.128s", group != NULL ? group : "",
		    group != NULL ? "." : "", name);
		if (is_group(full)) {
			if (!config_setting_is_group(at))
				return bad(path, at, error, full, "must be a group: { ... }");
			if ((rc = read_group(path, at, full, seen, out, error)) != TIDE_OK)
				return rc;
		} else if (group != NULL && strcmp(full, "replication.peers") == 0) {
			if (!config_setting_is_list(at) && !config_setting_is_array(at))
				return bad(path, at, error, full, "must be a list: ( { ... }, ... )");
			/* Read last: a peer is compared with this region's own number. */
		} else if (read_special(group, name, at, out, &wrong)) {
			if (wrong != NULL)
				return bad(path, at, error, full, wrong);
		} else if ((key = find_key(config_keys, config_keys_n, group, name)) != NULL) {
			seen[key - config_keys] = true;
			if ((rc = read_value(path, key, at, out, error)) != TIDE_OK)
				return rc;
		} else {
			return bad(path, at, error, full, "is not a known key");
		}
	}
	return TIDE_OK;
}

static void
set_defaults(struct config *out)
{
	memset(out, 0, sizeof *out);
	out->log_level = LOG_INFO;
	strcpy(out->http.host, "127.0.0.1");
	out->http.port = 8001;
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct key *key = &config_keys[i];

		if (key->kind == KEY_INT && key->fallback > KEY_COMPUTED)
			put_int(out, key, key->fallback);
		else if (key->kind == KEY_STRING && key->text != NULL)
			strcpy((char *)out + key->offset, key->text);
	}
}

/* With certificates every link uses them: one without would be the one that strangers take. */
static tide_err
check_tls(const char *path, const struct config *out, struct tide_error *error)
{
	static const char tls[] = "tls+tcp://";
	const struct config_tls *files = &out->replication.tls;
	bool some = files->ca[0] != 0 || files->certificate[0] != 0 || files->key[0] != 0;
	bool all = files->ca[0] != 0 && files->certificate[0] != 0 && files->key[0] != 0;

	if (some && !all)
		return tide_fail(
		    error, TIDE_USAGE, "%s: replication.tls needs ca, certificate and key", path);
	for (uint32_t i = 0; i <= out->replication.n_peers; i++) {
		const char *address = i < out->replication.n_peers ? out->replication.peers[i].replication
								   : out->replication.listen;
		bool secure = strncmp(address, tls, sizeof tls - 1) == 0;

		if (secure && !all)
			return tide_fail(error, TIDE_USAGE,
			    "%s: %s needs certificates: replication.tls is missing", path, address);
		if (!secure && all)
			return tide_fail(error, TIDE_USAGE,
			    "%s: replication.tls is set, so every address must begin with tls+tcp://, not %s",
			    path, address);
	}
	return TIDE_OK;
}

/* What depends on the machine or on other keys. */
static tide_err
complete(const char *path, const bool *seen, struct config *out, struct tide_error *error)
{
	static const char scheme[] = "ipc://";
	long processors;
	int n;

	for (size_t i = 0; i < config_keys_n; i++) {
		const struct key *key = &config_keys[i];
		bool required = key->kind == KEY_INT ? key->fallback == KEY_REQUIRED : key->text == NULL;

		if (required && !seen[i])
			return tide_fail(error, TIDE_USAGE, "%s: %s is missing", path, key->name);
	}
	if (out->http.threads == 0) {
		processors = sysconf(_SC_NPROCESSORS_ONLN);
		if (processors < 1)
			processors = 1;
		out->http.threads =
		    (uint32_t)(processors > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : processors);
	}
	if (out->replication.endpoint[0] == '\0') {
		n = snprintf(out->replication.endpoint, sizeof out->replication.endpoint,
		    "%s%.240s/endpoint.sock", scheme, out->data);
		if (strlen(out->data) > 240 || n < 0 || (size_t)n >= sizeof out->replication.endpoint ||
		    (size_t)n - (sizeof scheme - 1) > SOCKET_PATH_MAX)
			return tide_fail(error, TIDE_USAGE,
			    "%s: the path of data is too long for a socket in it: set replication.endpoint "
			    "to a "
			    "shorter address (ipc:///run/tidemark/%s.sock)",
			    path, out->region);
	} else if (strncmp(out->replication.endpoint, scheme, sizeof scheme - 1) == 0 &&
		   strlen(out->replication.endpoint) - (sizeof scheme - 1) > SOCKET_PATH_MAX) {
		return tide_fail(error, TIDE_USAGE,
		    "%s: the path of replication.endpoint is longer than %d bytes", path, SOCKET_PATH_MAX);
	}
	return check_tls(path, out, error);
}

static tide_err
read_all(const char *path, const config_t *file, struct config *out, struct tide_error *error)
{
	const config_setting_t *peers = config_lookup(file, "replication.peers");
	bool seen[64] = {false};
	tide_err rc;

	assert(config_keys_n <= sizeof seen / sizeof seen[0]);
	set_defaults(out);
	if ((rc = read_group(path, config_root_setting(file), NULL, seen, out, error)) != TIDE_OK)
		return rc;
	for (int i = 0; peers != NULL && i < config_setting_length(peers); i++) {
		if ((rc = read_peer(path, config_setting_get_elem(peers, (unsigned)i), out, error)) !=
		    TIDE_OK)
			return rc;
	}
	return complete(path, seen, out, error);
}

tide_err
config_load(const char *path, struct config *out, struct tide_error *error)
{
	struct config *config;
	struct stat status;
	config_t file;
	FILE *stream;
	tide_err rc;

	if ((config = calloc(1, sizeof *config)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((stream = fopen(path, "r")) == NULL) {
		rc = tide_fail(error, TIDE_USAGE, "%s: %m", path);
		free(config);
		return rc;
	}
	/* The parser under libconfig ends the process when it cannot read. */
	if (fstat(fileno(stream), &status) == 0 && S_ISDIR(status.st_mode)) {
		fclose(stream);
		free(config);
		return tide_fail(error, TIDE_USAGE, "%s: Is a directory", path);
	}
	config_init(&file);
	if (config_read(&file, stream) != CONFIG_TRUE)
		rc = tide_fail(error, TIDE_USAGE, "%s:%d: %s",
		    config_error_file(&file) != NULL ? config_error_file(&file) : path,
		    config_error_line(&file), config_error_text(&file));
	else
		rc = read_all(path, &file, config, error);
	if (rc == TIDE_OK)
		*out = *config;
	config_destroy(&file);
	fclose(stream);
	free(config);
	return rc;
}
