#include "config/keys.h"

#include <stddef.h>
#include <stdlib.h>

#define INT_KEY(group, name, field, low, high, fallback)                                                     \
	{                                                                                                    \
		group, name, KEY_INT, offsetof(struct config, field), sizeof(((struct config *)0)->field),   \
		    low, high, fallback, NULL, NULL                                                          \
	}
#define STRING_KEY(group, name, field, fallback, check)                                                      \
	{                                                                                                    \
		group, name, KEY_STRING, offsetof(struct config, field),                                     \
		    sizeof(((struct config *)0)->field), 0, 0, 0, fallback, check                            \
	}

static const char *
check_region(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return "must be a region's name: lower-case letters, digits and hyphens";
	return NULL;
}

static const char *
check_account(const char *text)
{
	if (strlen(text) != 12 || strspn(text, "0123456789") != 12)
		return "must have exactly 12 digits";
	return NULL;
}

static const char *
check_cluster(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(text);

	if (n == 0 || strspn(text, allowed) != n)
		return "must be a name of letters, digits, dots, underscores and hyphens";
	return NULL;
}

static const char *
check_file(const char *text)
{
	return text[0] == '\0' ? "must name a file" : NULL;
}

static const char *
check_path(const char *text)
{
	return text[0] == '\0' ? "must name a folder" : NULL;
}

static const char *
check_kv_plugin(const char *text)
{
	if (strcmp(text, "leveldb") != 0 && strcmp(text, "memory") != 0)
		return "must be \"leveldb\" or \"memory\"";
	return NULL;
}

static const char *
check_journal_plugin(const char *text)
{
	if (strcmp(text, "segments") != 0 && strcmp(text, "memory") != 0)
		return "must be \"segments\" or \"memory\"";
	return NULL;
}

static const char *
check_address(const char *text)
{
	static const char *const schemes[] = {"tcp://", "tls+tcp://", "ipc://"};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0 && text[strlen(schemes[i])] != '\0')
			return NULL;
	}
	return "must be an address such as \"tcp://10.0.0.2:7001\"";
}

bool
config_url_split(const char *url, char *host, size_t room, uint16_t *port)
{
	static const char scheme[] = "http://";
	const char *colon, *at = url + sizeof scheme - 1;
	unsigned long number;
	size_t n;
	char *end;

	if (strncmp(url, scheme, sizeof scheme - 1) != 0 || (colon = strrchr(at, ':')) == NULL)
		return false;
	n = (size_t)(colon - at);
	if (n > 2 && at[0] == '[' && at[n - 1] == ']') {
		at++;
		n -= 2;
	} else if (memchr(at, ':', n) != NULL) {
		return false;
	}
	if (n == 0 || n >= room || strcspn(at, "/?#@ []") < n || colon[1] < '0' || colon[1] > '9')
		return false;
	number = strtoul(colon + 1, &end, 10);
	if (number == 0 || number > 65535 || (*end == '/' ? end[1] : *end) != '\0')
		return false;
	memcpy(host, at, n);
	host[n] = '\0';
	*port = (uint16_t)number;
	return true;
}

static const char *
check_switch(const char *text)
{
	return strcmp(text, "on") == 0 || strcmp(text, "off") == 0 ? NULL : "must be \"on\" or \"off\"";
}

static const char *
check_url(const char *text)
{
	uint16_t port;
	char host[256];

	return config_url_split(text, host, sizeof host, &port)
		   ? NULL
		   : "must be the URL of an API such as \"http://10.0.0.2:8001\"";
}

const struct key config_keys[] = {
    STRING_KEY(NULL, "region", region, NULL, check_region),
    INT_KEY(NULL, "number", number, 1, 255, KEY_REQUIRED),
    STRING_KEY(NULL, "cluster", cluster, "tidemark", check_cluster),
    STRING_KEY(NULL, "data", data, NULL, check_path),
    STRING_KEY(NULL, "account", account, "000000000000", check_account),
    INT_KEY(NULL, "item_collection_mb", item_collection_mb, 1, 10240, 10240),
    INT_KEY(NULL, "table_units_max", table_units_max, 1, 1000000000, 40000),
    STRING_KEY(NULL, "throttling", throttling, "on", check_switch),
    INT_KEY("http", "threads", http.threads, 1, 64, KEY_COMPUTED),
    INT_KEY("http", "connections_max", http.connections_max, 1, 1000000, 4096),
    INT_KEY("http", "idle_seconds", http.idle_seconds, 1, 86400, 300),
    INT_KEY("http", "memory_mb", http.memory_mb, 64, 1048576, 1024),
    INT_KEY("http", "metrics", http.metrics, 0, 1, 1),
    STRING_KEY("store", "plugin", store.plugin, "leveldb", check_kv_plugin),
    INT_KEY("store", "cache_mb", store.cache_mb, 1, 1048576, 128),
    INT_KEY("store", "write_buffer_mb", store.write_buffer_mb, 1, 4096, 64),
    INT_KEY("store", "conflict_retention_days", store.conflict_retention_days, 1, 3650, 30),
    STRING_KEY("journal", "plugin", journal.plugin, "segments", check_journal_plugin),
    INT_KEY("journal", "segment_mb", journal.segment_mb, 1, 4096, 64),
    INT_KEY("journal", "checkpoint_mb", journal.checkpoint_mb, 1, 1048576, 256),
    INT_KEY("journal", "retention_hours", journal.retention_hours, 1, 876000, 24),
    INT_KEY("journal", "retention_max_hours", journal.retention_max_hours, 1, 876000, 168),
    INT_KEY("journal", "retention_seconds", journal.retention_seconds, 0, 86400, 0),
    INT_KEY("journal", "retention_max_seconds", journal.retention_max_seconds, 0, 86400, 0),
    STRING_KEY("replication", "listen", replication.listen, "tcp://127.0.0.1:8101", check_address),
    STRING_KEY("replication", "endpoint", replication.endpoint, "", check_address),
    INT_KEY("replication", "window", replication.window, 1, 128, 128),
    INT_KEY("replication", "batch_kb", replication.batch_kb, 1, 16384, 256),
    INT_KEY("replication", "max_clock_skew_ms", replication.max_clock_skew_ms, 1, 60000, 500),
    STRING_KEY("replication.tls", "ca", replication.tls.ca, "", check_file),
    STRING_KEY("replication.tls", "certificate", replication.tls.certificate, "", check_file),
    STRING_KEY("replication.tls", "key", replication.tls.key, "", check_file),
};
const size_t config_keys_n = sizeof config_keys / sizeof config_keys[0];

#define PEER_INT(name, field, low, high, fallback)                                                           \
	{                                                                                                    \
		NULL, name, KEY_INT, offsetof(struct config_peer, field),                                    \
		    sizeof(((struct config_peer *)0)->field), low, high, fallback, NULL, NULL                \
	}
#define PEER_STRING(name, field, fallback, check)                                                            \
	{                                                                                                    \
		NULL, name, KEY_STRING, offsetof(struct config_peer, field),                                 \
		    sizeof(((struct config_peer *)0)->field), 0, 0, 0, fallback, check                       \
	}

const struct key config_peer_keys[] = {
    PEER_STRING("region", region, NULL, check_region),
    PEER_INT("number", number, 1, 255, KEY_REQUIRED),
    PEER_STRING("address", replication, NULL, check_address),
    PEER_STRING("api", api, "", check_url),
    PEER_INT("bandwidth_kb_per_second", bandwidth_kb_per_second, 0, 4194303, 0),
};
const size_t config_peer_keys_n = sizeof config_peer_keys / sizeof config_peer_keys[0];
