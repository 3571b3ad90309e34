/*
 * What TLS between replicators needs: the cluster's CA, this region's certificate and key. Both ends show a certificate of that CA; nobody
 * else is let in. A certificate bears its region's name as a DNS name.
 *
 * Thread: any; immutable once open.
 */
#ifndef TIDE_REPLICATOR_WIRE_TLS_H
#define TIDE_REPLICATOR_WIRE_TLS_H

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

struct tls;
struct ssl_ctx_st;

/**
 * Read the three files of `from`.
 * Errors     TIDE_USAGE: one cannot be read, does not hold what it should, the key is not the certificate's, or others than its
 *            owner may read it (`error` says which and why). TIDE_NOMEM.
 */
tide_err tls_open(const struct config_tls *from, struct tls **out, struct tide_error *error);

/** Takes NULL. */
void tls_close(struct tls *tls);

/** For either end: the other one must show a certificate of the CA. */
struct ssl_ctx_st *tls_context(struct tls *tls);

/** Seconds until our certificate ends; 0 and less: it has ended. */
int64_t tls_seconds_left(const struct tls *tls);

#endif
