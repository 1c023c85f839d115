/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "tests/bench/handshakes.h"

#if __has_include(<openssl/ssl.h>)
#include <openssl/ssl.h>

#define WIRE_CAP 16384

static SSL_CTX *client_setup, *server_setup;

/* What both sides share. Everything that OpenSSL could do beyond the handshake is off. */
static SSL_CTX *new_setup(const SSL_METHOD *method)
{
    SSL_CTX *setup = SSL_CTX_new(method);

    if (setup == NULL || SSL_CTX_set_min_proto_version(setup, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(setup, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(setup, "X25519") != 1 || SSL_CTX_set_num_tickets(setup, 0) != 1) {
        SSL_CTX_free(setup);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(setup, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(setup, SSL_VERIFY_NONE, NULL);
    return setup;
}

static void close_openssl(void)
{
    SSL_CTX_free(client_setup);
    SSL_CTX_free(server_setup);
    client_setup = server_setup = NULL;
}

static bool open_openssl(const char *crt_path, const char *key_path)
{
    client_setup = new_setup(TLS_client_method());
    server_setup = new_setup(TLS_server_method());
    if (client_setup != NULL && server_setup != NULL &&
        SSL_CTX_use_certificate_file(server_setup, crt_path, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_use_PrivateKey_file(server_setup, key_path, SSL_FILETYPE_PEM) == 1) {
        return true;
    }
    fprintf(stderr, "handshakes: OpenSSL refuses %s\n", crt_path);
    close_openssl();
    return false;
}

/* One side's next step; its CPU time is added to *spent_ns. False if the handshake failed. */
static bool step(SSL *ssl, uint64_t *spent_ns)
{
    uint64_t begin = handshake_clock_ns();
    int done = SSL_do_handshake(ssl);
    bool is_fine = done == 1 || SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ;

    *spent_ns += handshake_clock_ns() - begin;
    return is_fine;
}

static SSL *begin(SSL_CTX *setup, BIO *bio, uint64_t *spent_ns)
{
    uint64_t start = handshake_clock_ns();
    SSL *ssl = SSL_new(setup);

    if (ssl != NULL) {
        SSL_set_bio(ssl, bio, bio);
    }
    *spent_ns += handshake_clock_ns() - start;
    return ssl;
}

static void finish(SSL *ssl, uint64_t *spent_ns)
{
    uint64_t start = handshake_clock_ns();

    SSL_set_quiet_shutdown(ssl, 1);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    *spent_ns += handshake_clock_ns() - start;
}

static bool run_openssl(struct handshake_cost *cost)
{
    BIO *near_bio = NULL, *far_bio = NULL;
    bool is_fine = BIO_new_bio_pair(&near_bio, WIRE_CAP, &far_bio, WIRE_CAP) == 1;
    SSL *client, *server;

    if (!is_fine) {
        return false;
    }
    client = begin(client_setup, near_bio, &cost->client_ns);
    server = begin(server_setup, far_bio, &cost->server_ns);
    if (client == NULL || server == NULL) {
        return false; /* out of memory: the program ends */
    }
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int turn = 0; turn < 4 && is_fine; turn++) {
        is_fine = step(client, &cost->client_ns) && step(server, &cost->server_ns);
    }
    is_fine = is_fine && SSL_is_init_finished(client) && SSL_is_init_finished(server) &&
              SSL_session_reused(client) == 0;
    finish(client, &cost->client_ns);
    finish(server, &cost->server_ns);
    cost->count++;
    return is_fine;
}

#else

static bool open_openssl(const char *crt_path, const char *key_path)
{
    (void)crt_path;
    (void)key_path;
    fprintf(stderr, "handshakes: built without OpenSSL's headers (libssl-dev)\n");
    return false;
}

static bool run_openssl(struct handshake_cost *cost)
{
    (void)cost;
    return false;
}

static void close_openssl(void)
{
}

#endif

const struct handshake_maker handshakes_openssl = {"openssl", open_openssl, run_openssl,
                                                   close_openssl};
