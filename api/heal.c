#include "api/heal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/program.h"
#include "store/shard/health.h"

#define RENEW_MS_MIN 1000u
#define RENEW_DOUBLINGS_MAX 6
#define PROBE_EVERY_MS 2000
#define REBUILD_EVERY_MS 60000 /* said so often that a person is needed */
#define PROBE_COMPLAIN 30 /* every so many probes that fail, one is logged */
#define PROBE_NAME "disk-probe"
/* What an opening writes: a log and a manifest, the store's buffer when it replays, the journal's preallocation. */
#define PROBE_BYTES_MORE (8u << 20)

static tide_err
write_probe(int fd, uint64_t bytes)
{
	static const uint8_t piece[1 << 16] = {1};
	ssize_t n;

	while (bytes > 0) {
		n = write(fd, piece, bytes < sizeof piece ? (size_t)bytes : sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? TIDE_FULL : TIDE_IO;
		bytes -= (uint64_t)n;
	}
	return fsync(fd) == 0 ? TIDE_OK : TIDE_IO;
}

tide_err
heal_probe(const char *dir, uint64_t bytes, struct tide_error *error)
{
	char path[4096];
	tide_err rc;
	int fd;

	if ((size_t)snprintf(path, sizeof path, "%s/" PROBE_NAME, dir) >= sizeof path)
		return tide_fail(error, TIDE_IO, "the path of %s is too long", dir);
	if ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		return tide_fail(
		    error, errno == ENOSPC ? TIDE_FULL : TIDE_IO, "%s: %s", path, strerror(errno));
	if ((rc = write_probe(fd, bytes)) != TIDE_OK)
		tide_fail(error, rc, "%s: %s", path, strerror(errno));
	close(fd);
	unlink(path);
	return rc;
}

static tide_err
try_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	tide_err rc = group_clock(group);

	(void)op;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* Sealed: is it time, and can the disk be written to? */
static void
consider(struct region *region, struct heal *heal, const struct shard_health *health, uint64_t now_ms)
{
	uint64_t bytes = ((uint64_t)region->config.store.write_buffer_mb << 20) + PROBE_BYTES_MORE;
	struct tide_error error;

	if (heal->since_ms == 0) {
		unsigned n = program_renewals();

		heal->since_ms = now_ms;
		heal->next_ms =
		    now_ms + (RENEW_MS_MIN << (n > RENEW_DOUBLINGS_MAX ? RENEW_DOUBLINGS_MAX : n));
	}
	if (now_ms < heal->next_ms || atomic_load(&region->renew))
		return;
	heal->next_ms = now_ms + PROBE_EVERY_MS;
	if (heal_probe(region->config.data, bytes, &error) != TIDE_OK) {
		if (heal->probes++ % PROBE_COMPLAIN == 0)
			log_err("API-SEALED", "for_ms=%" PRIu64 " why=\"%s\" disk=\"%s\"",
			    now_ms - heal->since_ms, health->reason, error.message);
		return;
	}
	/* A store that met damage as it compacted meets it again, unless it is made anew. */
	if (health->code == TIDE_CORRUPT && shard_order_rebuild(region->shard, &error) != TIDE_OK) {
		heal->next_ms = now_ms + REBUILD_EVERY_MS;
		log_err("API-SEALED", "for_ms=%" PRIu64 " why=\"%s\" repair=\"%s\"", now_ms - heal->since_ms,
		    health->reason, error.message);
		return;
	}
	log_warn("API-RENEW", "sealed_ms=%" PRIu64 " renewals=%u why=\"%s\"", now_ms - heal->since_ms,
	    program_renewals(), health->reason);
	atomic_store(&region->renew, true);
	program_ask_stop();
}

bool
heal_step(struct region *region, struct heal *heal, uint64_t now_ms)
{
	struct shard_health health;
	struct tide_error ignored; /* the shard's health tells */

	shard_health(region->shard, &health);
	if (health.state == SHARD_FULL || health.state == SHARD_FAILING)
		committer_call(region->committer, try_run, NULL, &ignored);
	if (health.state == SHARD_SEALED)
		consider(region, heal, &health, now_ms);
	return health.state != SHARD_SEALED;
}
