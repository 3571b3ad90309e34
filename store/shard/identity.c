#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

tide_err
identity_read(const char *dir, struct identity *out, struct tide_error *error)
{
	struct buf content = {0};
	struct unpack in;
	tide_err rc;

	if ((rc = shard__read_file(dir, "identity", &content, error)) == TIDE_OK) {
		in = unpack_of(buf_bytes(&content));
		unpack_open(&in, 4, 4, NULL);
		if (unpack_uint(&in) > IDENTITY_FORMAT)
			rc = tide_fail(error, TIDE_FORMAT, "%s/identity is of a later version", dir);
		out->id.v = (uint32_t)unpack_uint_max(&in, UINT32_MAX);
		out->nonce = unpack_uint(&in);
		out->n_kept = unpack_array(&in);
		if (out->n_kept > KEPT_MAX)
			in.rc = TIDE_CORRUPT;
		for (uint32_t i = 0; i < out->n_kept && in.rc == TIDE_OK; i++)
			out->kept[i].v = (uint32_t)unpack_uint_max(&in, UINT32_MAX);
		if (rc == TIDE_OK && in.rc != TIDE_OK)
			rc = tide_fail(error, TIDE_CORRUPT, "%s/identity is damaged", dir);
	}
	buf_fini(&content);
	return rc;
}

tide_err
identity_write(const char *dir, const struct identity *identity, struct tide_error *error)
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
	if ((rc = buf_check(&content)) == TIDE_OK)
		rc = shard__write_file(dir, "identity", buf_bytes(&content), error);
	buf_fini(&content);
	return rc;
}
