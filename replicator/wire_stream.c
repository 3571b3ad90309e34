#include "replicator/wire_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SSL_PIECE_MAX (1u << 30) /* SSL_read and SSL_write take an int */

bool
stream_init(struct stream *stream, int fd, struct tls *tls, const char *name)
{
	int flags = fcntl(fd, F_GETFL);

	*stream = (struct stream){.fd = fd};
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		close(fd);
		return false;
	}
	if (tls == NULL)
		return true;
	if ((stream->ssl = SSL_new(tls_context(tls))) == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
		stream_fini(stream);
		return false;
	}
	if (name == NULL) {
		SSL_set_accept_state(stream->ssl);
	} else {
		SSL_set_connect_state(stream->ssl);
		SSL_set_hostflags(stream->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		if (SSL_set1_host(stream->ssl, name) != 1) {
			stream_fini(stream);
			return false;
		}
	}
	stream->shaking_hands = true;
	return true;
}

void
stream_fini(struct stream *stream)
{
	/* Without a close_notify: messages carry their length, so a cut shows. */
	SSL_free(stream->ssl);
	stream->ssl = NULL;
	close(stream->fd);
	stream->fd = -1;
}

/* What OpenSSL wants next. */
static enum stream_result
after_ssl(struct stream *stream, int result)
{
	int error = SSL_get_error(stream->ssl, result);

	stream->wants_write = error == SSL_ERROR_WANT_WRITE;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return STREAM_LATER;
	if (error == SSL_ERROR_SSL)
		stream->reason = ERR_reason_error_string(ERR_peek_last_error());
	ERR_clear_error();
	return STREAM_GONE;
}

enum stream_result
stream_shake_hands(struct stream *stream, char *why, size_t why_max)
{
	enum stream_result result;
	long verified;
	int got;

	if (!stream->shaking_hands)
		return STREAM_DONE;
	ERR_clear_error();
	if ((got = SSL_do_handshake(stream->ssl)) == 1) {
		stream->shaking_hands = stream->wants_write = false;
		return STREAM_DONE;
	}
	if ((result = after_ssl(stream, got)) == STREAM_LATER)
		return result;
	verified = SSL_get_verify_result(stream->ssl);
	if (verified != X509_V_OK)
		stream->reason = X509_verify_cert_error_string(verified);
	snprintf(why, why_max, "TLS handshake: %s",
	    stream->reason != NULL ? stream->reason : "the connection was closed");
	return result;
}

static enum stream_result
after_socket(ssize_t got, size_t *n)
{
	if (got > 0) {
		*n = (size_t)got;
		return STREAM_DONE;
	}
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return STREAM_LATER;
	return STREAM_GONE;
}

enum stream_result
stream_recv(struct stream *stream, void *to, size_t max, size_t *n)
{
	int got;

	*n = 0;
	if (stream->ssl == NULL)
		return after_socket(recv(stream->fd, to, max, 0), n);
	ERR_clear_error();
	got = SSL_read(stream->ssl, to, (int)(max < SSL_PIECE_MAX ? max : SSL_PIECE_MAX));
	if (got <= 0)
		return after_ssl(stream, got);
	*n = (size_t)got;
	return STREAM_DONE;
}

enum stream_result
stream_send(struct stream *stream, const void *from, size_t max, size_t *n)
{
	int sent;

	*n = 0;
	if (stream->ssl == NULL)
		return after_socket(send(stream->fd, from, max, MSG_NOSIGNAL), n);
	ERR_clear_error();
	sent = SSL_write(stream->ssl, from, (int)(max < SSL_PIECE_MAX ? max : SSL_PIECE_MAX));
	if (sent <= 0)
		return after_ssl(stream, sent);
	*n = (size_t)sent;
	return STREAM_DONE;
}

bool
stream_holds(const struct stream *stream)
{
	return stream->ssl != NULL && SSL_pending(stream->ssl) > 0;
}

bool
stream_bears_name(const struct stream *stream, const char *name)
{
	X509 *certificate;
	bool bears;

	if (stream->ssl == NULL || (certificate = SSL_get1_peer_certificate(stream->ssl)) == NULL)
		return false;
	bears = X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
	X509_free(certificate);
	return bears;
}
