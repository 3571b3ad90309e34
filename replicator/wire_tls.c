#include "replicator/wire_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tls {
	SSL_CTX *context;
};

/* OpenSSL says little of a file that it cannot use. */
static tide_err
look_at(const char *what, const char *path, bool secret, struct tide_error *error)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return tide_fail(
		    error, TIDE_USAGE, "replication.tls.%s: %s: %s", what, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return tide_fail(error, TIDE_USAGE, "replication.tls.%s: %s: not a file", what, path);
	if (secret && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return tide_fail(error, TIDE_USAGE,
		    "replication.tls.%s: %s: others than its owner may use it (mode %03o): chmod 600", what,
		    path, (unsigned)(status.st_mode & 0777));
	return TIDE_OK;
}

/* OpenSSL's own sentence for what failed last. */
static tide_err
refuse(struct tide_error *error, const char *what, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	tide_fail(error, TIDE_USAGE, "replication.tls.%s: %s: %s", what, path,
	    reason != NULL ? reason : "not what it should be");
	ERR_clear_error();
	return TIDE_USAGE;
}

static tide_err
make_context(struct tls *tls, const struct config_tls *from, struct tide_error *error)
{
	SSL_CTX *context = tls->context = SSL_CTX_new(TLS_method());

	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
		return tide_fail(error, TIDE_NOMEM, NULL);
	/* Nothing of one connection serves another: each shows its certificate. */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	ERR_clear_error();
	if (SSL_CTX_load_verify_locations(context, from->ca, NULL) != 1)
		return refuse(error, "ca", from->ca);
	if (SSL_CTX_use_certificate_chain_file(context, from->certificate) != 1)
		return refuse(error, "certificate", from->certificate);
	if (SSL_CTX_use_PrivateKey_file(context, from->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1)
		return refuse(error, "key", from->key);
	return TIDE_OK;
}

tide_err
tls_open(const struct config_tls *from, struct tls **out, struct tide_error *error)
{
	struct tls *tls = calloc(1, sizeof *tls);
	tide_err rc;

	if (tls == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((rc = look_at("ca", from->ca, false, error)) != TIDE_OK ||
	    (rc = look_at("certificate", from->certificate, false, error)) != TIDE_OK ||
	    (rc = look_at("key", from->key, true, error)) != TIDE_OK ||
	    (rc = make_context(tls, from, error)) != TIDE_OK) {
		tls_close(tls);
		return rc;
	}
	*out = tls;
	return TIDE_OK;
}

void
tls_close(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	free(tls);
}

struct ssl_ctx_st *
tls_context(struct tls *tls)
{
	return tls->context;
}

int64_t
tls_seconds_left(const struct tls *tls)
{
	const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
	int days = 0, seconds = 0;

	if (certificate == NULL ||
	    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1)
		return 0;
	return (int64_t)days * 86400 + seconds;
}
