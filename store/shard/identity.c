#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "base/pack.h"
#include "store/shard/shard_priv.h"

#define IDENTITY_FORMAT 1

static tide_err
fail_errno(struct tide_error *error, const char *what, const char *path)
{
	return tide_fail(
	    error, errno == ENOSPC ? TIDE_FULL : TIDE_IO, "%s %s: %s", what, path, strerror(errno));
}

void
shard__path(const char *dir, const char *name, char path[SHARD_PATH_MAX])
{
	snprintf(path, SHARD_PATH_MAX, "%s/%s", dir, name);
}

tide_err
shard__sync_dir(const char *dir, struct tide_error *error)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tide_err rc = TIDE_OK;

	if (fd < 0 || fsync(fd) != 0)
		rc = fail_errno(error, "cannot sync", dir);
	if (fd >= 0)
		close(fd);
	return rc;
}

static tide_err
write_all(int fd, struct bytes content)
{
	while (content.n > 0) {
		ssize_t n = write(fd, content.at, content.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return TIDE_IO;
		content = bytes_of(content.at + n, content.n - (size_t)n);
	}
	return TIDE_OK;
}

tide_err
shard__write_file(const char *dir, const char *name, struct bytes content, struct tide_error *error)
{
	char path[SHARD_PATH_MAX], fresh[SHARD_PATH_MAX + 8];
	tide_err rc = TIDE_OK;
	int fd;

	shard__path(dir, name, path);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	if ((fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		return fail_errno(error, "cannot create", fresh);
	if (write_all(fd, content) != TIDE_OK || fsync(fd) != 0)
		rc = fail_errno(error, "cannot write", fresh);
	if (close(fd) != 0 && rc == TIDE_OK)
		rc = fail_errno(error, "cannot close", fresh);
	if (rc == TIDE_OK && rename(fresh, path) != 0)
		rc = fail_errno(error, "cannot rename to", path);
	if (rc != TIDE_OK) {
		unlink(fresh);
		return rc;
	}
	return shard__sync_dir(dir, error);
}

tide_err
shard__read_file(const char *dir, const char *name, struct buf *out, struct tide_error *error)
{
	char path[SHARD_PATH_MAX];
	tide_err rc = TIDE_OK;
	ssize_t n = 1;
	int fd;

	shard__path(dir, name, path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return errno == ENOENT ? tide_fail(error, TIDE_NOTFOUND, "%s is not there", path)
				       : fail_errno(error, "cannot open", path);
	buf_clear(out);
	while (n > 0 && rc == TIDE_OK) {
		uint8_t *to = buf_reserve(out, 65536);

		if (to == NULL)
			rc = tide_fail(error, TIDE_NOMEM, NULL);
		else if ((n = read(fd, to, 65536)) < 0 && errno != EINTR)
			rc = fail_errno(error, "cannot read", path);
		else if (n > 0)
			out->n += (size_t)n;
		else if (n < 0)
			n = 1;
	}
	close(fd);
	return rc;
}

#define IDENTITY "identity"
#define COPY                                                                                                 \
	"identity.copy" /* the same once more: without it a folder that lost 30 bytes would be lost whole */

static uint64_t
checksum(struct bytes content)
{
	return XXH3_64bits(content.at, content.n);
}

static tide_err
read_one(const char *dir, const char *name, struct identity *out, struct tide_error *error)
{
	struct buf content = {0};
	struct unpack in;
	uint64_t sum;
	tide_err rc;

	if ((rc = shard__read_file(dir, name, &content, error)) == TIDE_OK) {
		struct bytes fields = bytes_of(content.at, content.n >= 8 ? content.n - 8 : 0);

		sum = content.n >= 8 ? bytes_u64(content.at + fields.n) : 0;
		in = unpack_of(fields);
		unpack_open(&in, 4, 4, NULL);
		if (unpack_uint(&in) > IDENTITY_FORMAT)
			rc = tide_fail(error, TIDE_FORMAT, "%s/%s is of a later version", dir, name);
		out->id.v = (uint32_t)unpack_uint_max(&in, UINT32_MAX);
		out->nonce = unpack_uint(&in);
		out->n_kept = unpack_array(&in);
		if (out->n_kept > KEPT_MAX)
			in.rc = TIDE_CORRUPT;
		for (uint32_t i = 0; i < out->n_kept && in.rc == TIDE_OK; i++)
			out->kept[i].v = (uint32_t)unpack_uint_max(&in, UINT32_MAX);
		if (content.n < 8 || sum != checksum(fields) || (rc == TIDE_OK && in.rc != TIDE_OK))
			rc = tide_fail(error, TIDE_CORRUPT, "%s/%s is damaged", dir, name);
	}
	buf_fini(&content);
	return rc;
}

static tide_err
write_one(const char *dir, const char *name, const struct identity *identity, struct tide_error *error)
{
	struct buf content = {0};
	tide_err rc;

	pack_array(&content, 4);
	pack_uint(&content, IDENTITY_FORMAT);
	pack_uint(&content, identity->id.v);
	pack_uint(&content, identity->nonce);
	pack_array(&content, identity->n_kept);
	for (uint32_t i = 0; i < identity->n_kept; i++)
		pack_uint(&content, identity->kept[i].v);
	if (!content.failed)
		buf_append_u64(&content, checksum(buf_bytes(&content)));
	if ((rc = buf_check(&content)) == TIDE_OK)
		rc = shard__write_file(dir, name, buf_bytes(&content), error);
	buf_fini(&content);
	return rc;
}

static bool
same(const struct identity *a, const struct identity *b)
{
	bool kept = a->n_kept == b->n_kept;

	for (uint32_t i = 0; kept && i < a->n_kept; i++)
		kept = jid_same(a->kept[i], b->kept[i]);
	return kept && jid_same(a->id, b->id) && a->nonce == b->nonce;
}

tide_err
identity_read(const char *dir, struct identity *out, struct tide_error *error)
{
	struct identity copy = {0};
	struct tide_error why;
	tide_err rc = read_one(dir, IDENTITY, out, error), other = read_one(dir, COPY, &copy, &why);

	if ((rc == TIDE_NOTFOUND || rc == TIDE_CORRUPT) && other == TIDE_OK) {
		log_warn("IDENTITY-COPY", "why=\"%s\"", error->message);
		*out = copy;
		return write_one(dir, IDENTITY, out, error);
	}
	if (rc == TIDE_NOTFOUND && other == TIDE_CORRUPT)
		return tide_fail(error, TIDE_CORRUPT, "%s", why.message);
	/* A copy that was not written, or is older, or damaged: a crash came in between. It is only a help. */
	if (rc == TIDE_OK && (other != TIDE_OK || !same(&copy, out)) &&
	    write_one(dir, COPY, out, &why) != TIDE_OK)
		log_warn("IDENTITY-COPY", "why=\"%s\"", why.message);
	return rc;
}

tide_err
identity_write(const char *dir, const struct identity *identity, struct tide_error *error)
{
	tide_err rc = write_one(dir, IDENTITY, identity, error);

	return rc == TIDE_OK ? write_one(dir, COPY, identity, error) : rc;
}
