#include "api/http/coding.h"

#include <limits.h>
#include <zlib.h>

#define WINDOW_BITS 15
#define WINDOW_GZIP 16 /* added to the window bits: gzip's header instead of zlib's */
#define STEP 65536

static tide_err
inflate_with(int window_bits, struct bytes body, size_t max, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)body.at, .avail_in = (uInt)body.n};
	tide_err rc = TIDE_OK;
	uint8_t *at;
	int state = Z_OK;

	buf_clear(out);
	if (inflateInit2(&z, window_bits) != Z_OK)
		return TIDE_NOMEM;
	while (state != Z_STREAM_END) {
		if (out->n > max) {
			rc = TIDE_REQUEST_TOO_LARGE;
			break;
		}
		if ((at = buf_reserve(out, STEP)) == NULL) {
			rc = TIDE_NOMEM;
			break;
		}
		z.next_out = at;
		z.avail_out = STEP;
		state = inflate(&z, Z_NO_FLUSH);
		out->n += STEP - z.avail_out;
		if (state == Z_MEM_ERROR) {
			rc = TIDE_NOMEM;
			break;
		}
		/* Z_BUF_ERROR: no progress, so the input is cut short. */
		if (state != Z_OK && state != Z_STREAM_END) {
			rc = TIDE_SERIALIZATION;
			break;
		}
	}
	inflateEnd(&z);
	if (rc == TIDE_OK && out->n > max)
		rc = TIDE_REQUEST_TOO_LARGE;
	return rc;
}

tide_err
http_inflate(enum http_coding coding, struct bytes body, size_t max, struct buf *out)
{
	tide_err rc;

	if (body.n > UINT_MAX)
		return TIDE_REQUEST_TOO_LARGE;
	if (coding == HTTP_GZIP)
		return inflate_with(WINDOW_BITS + WINDOW_GZIP, body, max, out);
	rc = inflate_with(WINDOW_BITS, body, max, out);
	/* "deflate" means zlib's format, but some clients send the bare stream. */
	return rc == TIDE_SERIALIZATION ? inflate_with(-WINDOW_BITS, body, max, out) : rc;
}

tide_err
http_deflate(enum http_coding coding, struct bytes body, struct buf *out)
{
	z_stream z = {0};
	uint8_t *at;
	size_t bound;
	int state;

	buf_clear(out);
	if (body.n > UINT_MAX / 2)
		return TIDE_NOMEM;
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED,
		coding == HTTP_GZIP ? WINDOW_BITS + WINDOW_GZIP : WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return TIDE_NOMEM;
	bound = deflateBound(&z, (uLong)body.n);
	if ((at = buf_reserve(out, bound)) == NULL) {
		deflateEnd(&z);
		return TIDE_NOMEM;
	}
	z.next_in = (Bytef *)body.at;
	z.avail_in = (uInt)body.n;
	z.next_out = at;
	z.avail_out = (uInt)bound;
	state = deflate(&z, Z_FINISH);
	out->n = bound - z.avail_out;
	deflateEnd(&z);
	return state == Z_STREAM_END ? TIDE_OK : TIDE_NOMEM;
}
