/* SPDX-License-Identifier: BSD-3-Clause */
/* dialect: the language of the control connection as values, apart from pool, relay and state
 * machines.
 *
 * One dialect exists (v1.6, protocol.md 2 to 4 and 9.1); a later one implements the same functions.
 * All of it is a function of bytes: no I/O, no clock, no allocation.
 */
#ifndef NP_CORE_WIRE_DIALECT_H
#define NP_CORE_WIRE_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/err.h"

#define NP_DIALECT_HELLO_CAP 256u /* longest line before the handshake, without its newline */
#define NP_DIALECT_LINE_CAP 512u  /* longest line after it */
#define NP_DIALECT_ID_LEN 8u      /* id of a pool connection on the wire: lower-case hex */

/* What both ends can do beyond v1.6, agreed on by letters (protocol.md 9.1): the server's answer
 * offers them as ?x=<letters>, a client that knows some replies with ?x=<those>#x as its first
 * message. Bit i is letter i of NP_DIALECT_EXT_LETTERS; unknown letters are ignored.
 *   u  UDP over plain pool connections is framed; each such launch says so with ?x=u
 *   y  the client tells with <id>#y each connection whose id it has read, and the server uses no
 *      other; who gets a launch for an id it never had tells with <id>#n */
#define NP_DIALECT_EXT_LETTERS "uy"
#define NP_DIALECT_EXT_UDP_FRAMES 1u
#define NP_DIALECT_EXT_IDS 2u
#define NP_DIALECT_EXT_ALL 3u

enum np_signal_kind {
    NP_SIGNAL_UNKNOWN, /* well-formed, to be ignored */
    NP_SIGNAL_PING,    /* #i */
    NP_SIGNAL_PONG,    /* #o */
    NP_SIGNAL_FLUSH,   /* #0 */
    NP_SIGNAL_TCP,     /* np://<peer>/<id>#1 */
    NP_SIGNAL_UDP,     /* np://<peer>/<id>#2; extensions tells if this connection is framed */
    NP_SIGNAL_EXT,     /* ?x=<letters>#x: the client takes up what the server offered */
    NP_SIGNAL_HAVE,    /* /<id>#y: the client has read this id */
    NP_SIGNAL_MISSING  /* /<id>#n: the launch for this id was in vain */
};
/* The visitor of a launch is written ip:port or [v6]:port. A key that leaves no spelling of that
 * (it forbids ':' everywhere, or a digit) gets it as a name: ip and port, 6 or 18 bytes big-endian,
 * two letters a byte, 'a' to 'p' in either case for 0 to 15. A Go peer takes any host, it needs the
 * address only to write a PROXY header; ours reads both forms. */
struct np_signal {
    enum np_signal_kind kind;
    struct np_addr
        peer;    /* TCP, UDP: the visitor; family NONE if its host is of neither form below */
    uint32_t id; /* TCP, UDP, HAVE, MISSING: pool connection */
    uint32_t extensions; /* EXT, UDP: set of NP_DIALECT_EXT_* */
};

/* The server's answer to the hello: np://<max>/<flow>#<tls>[with ?x=<letters>]. */
struct np_answer {
    uint32_t max;        /* pool ceiling, 1 to 2^31 - 1 */
    char flow;           /* '-' reverse, '+' forward */
    uint8_t tls;         /* 0, 1, 2 */
    uint32_t extensions; /* set of NP_DIALECT_EXT_* */
};

struct np_key {
    const uint8_t *bytes; /* owned by the settings */
    uint32_t len;         /* 1 to 255 */
};

/* ---- receiving ------------------------------------------------------------------------------- */

/* Collects one line at a time. `text` is the decoded message, NUL-terminated, after NP_OK. */
struct np_line_decoder {
    struct np_key key;
    uint32_t cap; /* NP_DIALECT_HELLO_CAP or NP_DIALECT_LINE_CAP */
    uint32_t len;
    char text[NP_DIALECT_LINE_CAP + 1];
};

void np_line_decoder_init(struct np_line_decoder *decoder, struct np_key key, uint32_t cap);
/* Takes bytes from `buf`, sets *taken. Returns NP_OK when a message is complete (call
 * np_line_decoder_reset before the next feed), NP_ERR_AGAIN when all bytes were taken and more are
 * needed, NP_ERR_TOO_LONG when the line exceeds cap (final).
 * A 0x0a ends the message only if the decoded text ends with '#' and one character (or with
 * "#%XX"), else it is data: protocol.md 2, flaw 1. */
enum np_err np_line_decoder_feed(struct np_line_decoder *decoder, const uint8_t *buf, uint32_t len,
                                 uint32_t *taken);
void np_line_decoder_reset(struct np_line_decoder *decoder);

/* Parses a decoded message into *signal. NP_OK (also for unknown fragments: kind UNKNOWN), or
 * NP_ERR_PROTOCOL if it is no message (to be counted and skipped). */
enum np_err np_signal_parse(struct np_signal *signal, const char *text, uint32_t len);
/* Parses the server's answer. NP_ERR_PROTOCOL without host, path or fragment or with bad values. */
enum np_err np_answer_parse(struct np_answer *answer, const char *text, uint32_t len);

/* ---- sending --------------------------------------------------------------------------------- */

/* Each writes the XORed line with its newline to `out` (NP_DIALECT_LINE_CAP + 1 bytes) and returns
 * its length, choosing an equivalent URL whose XOR holds no 0x0a. Returns 0 if there is none for
 * this key (and, for launches, this id: the caller may try another). Time is bounded: microseconds
 * as a rule, some milliseconds for a key of 255 bytes that forbids the same character
 * throughout. */
uint32_t np_signal_encode(uint8_t *out, struct np_key key, const struct np_signal *signal);
uint32_t np_answer_encode(uint8_t *out, struct np_key key, const struct np_answer *answer);

/* The client's hello: the key XORed with itself and a newline; key.len + 1 bytes. */
uint32_t np_hello_encode(uint8_t *out, struct np_key key);
/* True if the first line of `buf` proves the key. Looks at key.len + 1 bytes in constant time.
 * len < key.len + 1 gives false. */
bool np_hello_is_valid(const uint8_t *buf, uint32_t len, struct np_key key);

/* Id <-> its NP_DIALECT_ID_LEN lower-case hex characters. Parsing returns false on anything else.
 */
void np_id_format(char out[NP_DIALECT_ID_LEN], uint32_t id);
bool np_id_parse(uint32_t *id, const char text[NP_DIALECT_ID_LEN]);

/* The key of a URL without one: FNV-1a 32 bit over the decimal port, 8 hex digits and a NUL
 * (protocol.md 1). */
void np_default_key(char out[9], uint16_t port);

#endif
