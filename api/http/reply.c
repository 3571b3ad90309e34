#include "api/http/reply.h"

#include <http_parser.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define EXPOSED                                                                                              \
	"x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,x-amz-request-id,x-amz-id-2,x-amz-crc32,Date"

void
http_ids_init(struct http_ids *ids)
{
	struct timespec now;

	if (getrandom(ids->state, sizeof ids->state, 0) == (ssize_t)sizeof ids->state)
		return;
	/* Ids must only differ: time, process and address do where the kernel has no random source yet. */
	clock_gettime(CLOCK_REALTIME, &now);
	ids->state[0] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	ids->state[1] = ((uint64_t)getpid() << 32) ^ (uint64_t)(uintptr_t)ids;
}

/* splitmix64 over a 128-bit counter's halves. */
static uint64_t
next_random(struct http_ids *ids)
{
	uint64_t z = (ids->state[0] += 0x9e3779b97f4a7c15u) ^ ids->state[1];

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void
http_ids_next(struct http_ids *ids, char out[HTTP_REQUEST_ID_LENGTH])
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
	uint64_t bits = 0;
	int left = 0;

	for (int i = 0; i < HTTP_REQUEST_ID_LENGTH; i++) {
		if (left < 5) {
			bits = next_random(ids);
			left = 64;
		}
		out[i] = letters[bits & 31];
		bits >>= 5;
		left -= 5;
	}
}

void
http_date(uint64_t seconds, char out[HTTP_DATE_ROOM])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t at = (time_t)seconds;
	struct tm tm;

	/* Not strftime: its names follow the locale. */
	if (gmtime_r(&at, &tm) == NULL)
		memset(&tm, 0, sizeof tm);
	snprintf(out, HTTP_DATE_ROOM, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * tm.tm_wday,
	    (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
	    (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static void
append_number(struct buf *out, uint64_t n)
{
	char text[20];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_append(out, text + at, sizeof text - at);
}

#define APPEND(out, text) buf_append((out), text, sizeof(text) - 1)

static void
append_cors(struct buf *out, const struct http_reply *reply)
{
	APPEND(out, "Access-Control-Allow-Origin: *\r\n");
	if (!reply->preflight) {
		APPEND(out, "Access-Control-Expose-Headers: " EXPOSED "\r\n");
		return;
	}
	/* DynamoDB allows whatever is asked for, and names nothing else. */
	if (reply->allow_headers.at != NULL) {
		APPEND(out, "Access-Control-Allow-Headers: ");
		buf_append(out, reply->allow_headers.at, reply->allow_headers.n);
		APPEND(out, "\r\n");
	}
	if (reply->allow_methods.at != NULL) {
		APPEND(out, "Access-Control-Allow-Methods: ");
		buf_append(out, reply->allow_methods.at, reply->allow_methods.n);
		APPEND(out, "\r\n");
	}
	APPEND(out, "Access-Control-Max-Age: 172800\r\n");
}

void
http_reply_head(struct buf *out, const struct http_reply *reply)
{
	if (reply->status == 200) {
		APPEND(out, "HTTP/1.1 200 OK\r\n");
	} else {
		APPEND(out, "HTTP/1.1 ");
		append_number(out, (uint64_t)reply->status);
		buf_append_byte(out, ' ');
		buf_append_string(out, http_status_str((enum http_status)reply->status));
		APPEND(out, "\r\n");
	}
	APPEND(out, "Server: tidemark\r\nDate: ");
	buf_append_string(out, reply->date);
	if (reply->content_type != NULL) {
		APPEND(out, "\r\nContent-Type: ");
		buf_append_string(out, reply->content_type);
	}
	APPEND(out, "\r\nContent-Length: ");
	append_number(out, reply->body.n);
	if (!reply->keep_alive)
		APPEND(out, "\r\nConnection: close");
	else if (reply->http_1_0)
		APPEND(out, "\r\nConnection: keep-alive");
	APPEND(out, "\r\nx-amzn-RequestId: ");
	buf_append(out, reply->id, HTTP_REQUEST_ID_LENGTH);
	if (reply->checksum) {
		APPEND(out, "\r\nx-amz-crc32: ");
		append_number(out, crc32_z(0, reply->body.at, reply->body.n));
	}
	if (reply->coding == HTTP_GZIP)
		APPEND(out, "\r\nContent-Encoding: gzip");
	else if (reply->coding == HTTP_DEFLATE)
		APPEND(out, "\r\nContent-Encoding: deflate");
	APPEND(out, "\r\n");
	if (reply->cors)
		append_cors(out, reply);
	APPEND(out, "\r\n");
}
