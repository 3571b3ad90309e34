/*
 * A region's configuration file (libconfig's format; docs/configuration.md), read by every program. Unknown keys are errors.
 */
#ifndef TIDE_CONFIG_CONFIG_H
#define TIDE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

#define CONFIG_PEERS_MAX 31

struct config_peer {
	char region[64];
	uint8_t number;
	char replication[256]; /* address of its replicator: "tcp://10.0.0.2:7001" */
	char api[256]; /* URL of its API: "http://10.0.0.2:8001"; "": not known here */
	uint32_t bandwidth_kb_per_second; /* what is fetched from it at most; 0: no limit */
};

/* PEM files; all set or none */
struct config_tls {
	char ca[4096], certificate[4096], key[4096];
};

struct config {
	char region[64]; /* region = "us-east-1" */
	uint8_t number; /* number = 1: this region's number in the cluster, never changed, never reused */
	char cluster[64]; /* cluster = "tidemark": regions of another cluster are strangers */
	char data[4096]; /* data = "/var/lib/tidemark/us-east-1" */
	char account[13]; /* account = "000000000000": 12 digits, for ARNs */
	enum log_level log_level; /* log_level = "info" */
	uint32_t item_collection_mb; /* item_collection_mb = 10240: what an item collection may hold */
	uint32_t table_units_max; /* table_units_max = 40000: what a table may be provisioned with */
	char throttling[4]; /* throttling = "on"; "off": limits of throughput are described only */
	struct {
		char host[64]; /* http.listen = "127.0.0.1:8001"; IPv6 "[::1]:8001" (host without brackets) */
		uint16_t port;
		uint32_t
		    threads; /* http.threads: I/O threads; default: the number of processors, at most 8 */
		uint32_t connections_max; /* http.connections_max = 4096 */
		uint32_t
		    idle_seconds; /* http.idle_seconds = 300: a connection without a request is closed after that */
		uint32_t memory_mb; /* http.memory_mb = 1024: what requests under way may hold together */
		uint32_t metrics; /* http.metrics = 1: whether GET /metrics is answered */
	} http;
	struct {
		char plugin[32]; /* store.plugin = "leveldb" */
		uint32_t cache_mb, write_buffer_mb;
		uint32_t conflict_retention_days; /* store.conflict_retention_days = 30 */
	} store;
	struct {
		char plugin[32]; /* journal.plugin = "segments" */
		uint32_t segment_mb; /* journal.segment_mb = 64 */
		uint32_t checkpoint_mb; /* journal.checkpoint_mb = 256 */
		uint32_t retention_hours; /* journal.retention_hours = 24 */
		uint32_t retention_max_hours; /* journal.retention_max_hours = 168 */
		uint32_t retention_seconds, retention_max_seconds; /* instead of those, where above 0 */
	} journal;
	struct {
		char listen[256]; /* replication.listen = "tcp://127.0.0.1:8101" */
		char endpoint
		    [256]; /* replication.endpoint: where the API process answers its replicator; default "ipc://DATA/endpoint.sock" */
		uint32_t window; /* replication.window = 16: pulls in flight per link */
		uint32_t batch_kb; /* replication.batch_kb = 256 */
		uint32_t max_clock_skew_ms; /* replication.max_clock_skew_ms = 500 */
		struct config_tls tls; /* replication.tls = { ca; certificate; key; }; none: without TLS */
		struct config_peer
		    peers[CONFIG_PEERS_MAX]; /* replication.peers = ( { region; number; address; }, ... ) */
		uint32_t n_peers;
	} replication;
};

/**
 * Read and check a file. Not named config_read: libconfig exports a function of that name.
 *
 * On TIDE_OK `out` is complete: what the file leaves out has its default (docs/configuration.md).
 *
 * Thread     any.
 * Errors     TIDE_USAGE: `error` names file, line and what is wrong; `out` is untouched. TIDE_NOMEM.
 */
tide_err config_load(const char *path, struct config *out, struct tide_error *error);

/**
 * "http://HOST:PORT" (one slash may follow; IPv6 in brackets) to its parts, the host without brackets. False: it is not one, or the
 * host does not fit in `room`; `host` and `*port` are then undefined.
 *
 * Thread     any.
 */
bool config_url_split(const char *url, char *host, size_t room, uint16_t *port);

#endif
