/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* mkstemp */
/* What the posix platform knows of names without sockets: messages, files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/posix/dns_files.h"
#include "platform/posix/dns_message.h"
#include "platform/posix/lines.h"
#include "tests/unit/np_test.h"

#define ID 0x1234

/* An answer under construction. */
struct answer {
    uint8_t bytes[1500];
    uint32_t len, question_len;
    uint8_t question[NP_DNS_QUESTION_CAP];
};

static void begin(struct answer *a, const char *name, enum np_dns_type type, uint8_t code)
{
    a->question_len = a->len = np_dns_ask(a->question, ID, name, type);
    NP_CHECK(a->len > 0);
    memcpy(a->bytes, a->question, a->len);
    a->bytes[2] = 0x81;
    a->bytes[3] = (uint8_t)(0x80 | code);
}

static void add(struct answer *a, const void *name, uint32_t name_len, uint32_t type,
                const void *data, uint32_t data_len)
{
    const uint8_t head[10] = {(uint8_t)(type >> 8),     (uint8_t)type,    0, 1, 0, 0, 1, 0,
                              (uint8_t)(data_len >> 8), (uint8_t)data_len};

    memcpy(a->bytes + a->len, name, name_len);
    memcpy(a->bytes + a->len + name_len, head, sizeof head);
    memcpy(a->bytes + a->len + name_len + sizeof head, data, data_len);
    a->len += name_len + (uint32_t)sizeof head + data_len;
    a->bytes[7]++;
}

static enum np_dns_result read_all(const struct answer *a, struct np_addr *addrs, uint32_t cap,
                                   uint32_t *count)
{
    return np_dns_read(a->bytes, a->len, a->question, a->question_len, addrs, cap, count);
}

NP_TEST(dns, question_is_as_rfc_1035_says)
{
    static const uint8_t want[] = "\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x03www\x04test\0\0\x1c\0";
    uint8_t out[NP_DNS_QUESTION_CAP];

    NP_CHECK_INT(np_dns_ask(out, ID, "www.test", NP_DNS_AAAA), sizeof want);
    NP_CHECK_MEM(out, want, sizeof want - 1);
    NP_CHECK_INT(out[sizeof want - 1], 1);
    NP_CHECK_INT(np_dns_ask(out, ID, "www.test.", NP_DNS_AAAA), sizeof want);
}

NP_TEST(dns, names_that_no_server_knows)
{
    static const char *const bad[] = {"", ".", "..", ".a", "a..b", "a.."};
    char name[300];
    uint8_t out[NP_DNS_QUESTION_CAP];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_test_context("%s", bad[i]);
        NP_CHECK_INT(np_dns_ask(out, ID, bad[i], NP_DNS_A), 0);
    }
    memset(name, 'a', sizeof name);
    name[63] = '\0';
    NP_CHECK_INT(np_dns_ask(out, ID, name, NP_DNS_A), 12 + 65 + 4);
    name[63] = 'a';
    name[64] = '\0';
    NP_CHECK_INT(np_dns_ask(out, ID, name, NP_DNS_A), 0);
    for (uint32_t i = 1; i < sizeof name; i += 2) {
        name[i] = '.';
    }
    name[64] = 'a';
    name[253] = '\0'; /* 127 parts: 255 bytes, the most */
    NP_CHECK_INT(np_dns_ask(out, ID, name, NP_DNS_A), NP_DNS_QUESTION_CAP);
    name[253] = '.';
    name[255] = '\0';
    NP_CHECK_INT(np_dns_ask(out, ID, name, NP_DNS_A), 0);
}

NP_TEST(dns, addresses_behind_an_alias)
{
    struct answer a;
    struct np_addr addrs[4];
    uint32_t count;

    begin(&a, "www.test", NP_DNS_A, 0);
    add(&a, "\xc0\x0c", 2, 5, "\x01x\xc0\x10", 4);
    add(&a, "\x01x\xc0\x10", 4, NP_DNS_A, "\x0a\0\0\x01", 4);
    add(&a, "\x01x\x04test", 8, NP_DNS_A, "\x0a\0\0\x02", 4);    /* a name to its end */
    add(&a, "\xc0\x0c", 2, NP_DNS_AAAA, "0123456789abcdef", 16); /* was not asked for */
    add(&a, "\xc0\x0c", 2, NP_DNS_A, "\x0a\0\0\x03\x04", 5);     /* is none */
    NP_CHECK_INT(read_all(&a, addrs, 4, &count), NP_DNS_KNOWN);
    NP_CHECK_INT(count, 2);
    NP_CHECK_INT(addrs[0].family, NP_FAMILY_IP4);
    NP_CHECK_MEM(addrs[1].ip, "\x0a\0\0\x02", 4);
    NP_CHECK_INT(read_all(&a, addrs, 1, &count), NP_DNS_KNOWN);
    NP_CHECK_INT(count, 1);
    a.bytes[13] = 'W'; /* a server may change the case */
    NP_CHECK_INT(read_all(&a, addrs, 4, &count), NP_DNS_KNOWN);
}

NP_TEST(dns, answers_to_others_are_ignored)
{
    struct answer a;
    struct np_addr addrs[4];
    uint32_t count;
    static const uint32_t places[] = {0, 1, 2, 4, 5, 13, 22, 23, 24, 25};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        np_test_context("byte %u", (unsigned)places[i]);
        begin(&a, "www.test", NP_DNS_A, 0);
        add(&a, "\xc0\x0c", 2, NP_DNS_A, "\x0a\0\0\x01", 4);
        a.bytes[places[i]] ^= 0x81;
        NP_CHECK_INT(read_all(&a, addrs, 4, &count), NP_DNS_FOREIGN);
        NP_CHECK_INT(count, 0);
    }
}

NP_TEST(dns, codes)
{
    struct answer a;
    struct np_addr addrs[4];
    uint32_t count;

    for (uint8_t code = 0; code < 16; code++) {
        np_test_context("code %d", code);
        begin(&a, "www.test", NP_DNS_AAAA, code);
        NP_CHECK_INT(read_all(&a, addrs, 4, &count), code == 0   ? NP_DNS_KNOWN
                                                     : code == 3 ? NP_DNS_NO_NAME
                                                                 : NP_DNS_FAILED);
    }
}

/* Every place an answer can be cut at: what is there is used, nothing is read beyond. */
NP_TEST(dns, cut_answers)
{
    struct answer a;
    struct np_addr addrs[4];
    uint32_t count, whole;

    begin(&a, "www.test", NP_DNS_AAAA, 0);
    add(&a, "\xc0\x0c", 2, NP_DNS_AAAA, "0123456789abcdef", 16);
    uint32_t first = a.len;
    add(&a, "\xc0\x0c", 2, NP_DNS_AAAA, "0123456789abcdef", 16);
    for (whole = a.len, a.len = 0; a.len < whole; a.len++) {
        enum np_dns_result want = a.len < a.question_len ? NP_DNS_FOREIGN
                                  : a.len < first        ? NP_DNS_FAILED
                                                         : NP_DNS_KNOWN;
        np_test_context("%u bytes", (unsigned)a.len);
        NP_CHECK_INT(read_all(&a, addrs, 4, &count), want);
        NP_CHECK_INT(count, a.len >= first);
    }
    begin(&a, "www.test", NP_DNS_AAAA, 0);
    a.bytes[2] |= 2; /* cut, says the server, and has nothing */
    NP_CHECK_INT(read_all(&a, addrs, 4, &count), NP_DNS_FAILED);
}

static void take(struct np_dns_conf *conf, const char *text)
{
    char line[300];

    NP_CHECK(strlen(text) < sizeof line);
    strcpy(line, text);
    np_dns_conf_line(conf, line);
}

static uint32_t zone_of(const char *name)
{
    return strcmp(name, "eth0") == 0 ? 7 : 0;
}

NP_TEST(dns, resolv_conf)
{
    struct np_dns_conf conf = {.zone = zone_of};

    np_dns_conf_init(&conf);
    NP_CHECK_INT(conf.dots + conf.attempts * 10 + conf.timeout_s * 100, 521);
    take(&conf, "# nameserver 1.1.1.1");
    take(&conf, "nameserver nonsense");
    take(&conf, "\tnameserver  10.0.0.1 # home");
    take(&conf, "nameserver fe80::1%eth0\r");
    take(&conf, "search a.test b.test");
    take(&conf, "search lan home.test");
    take(&conf, "options ndots:2 rotate attempts:99 timeout:0 timeout:x");
    take(&conf, "sortlist 1.2.3.4");
    NP_CHECK_INT(conf.servers_count, 2);
    NP_CHECK_INT(conf.servers[0].port, 53);
    NP_CHECK_INT(conf.servers[1].scope, 7);
    NP_CHECK_STR(conf.search, "lan home.test ");
    NP_CHECK_INT(conf.dots + conf.attempts * 10 + conf.timeout_s * 100, 152);
    take(&conf, "nameserver ::1");
    take(&conf, "nameserver ::2");
    NP_CHECK_INT(conf.servers_count, NP_DNS_SERVERS);
}

NP_TEST(dns, search_that_does_not_fit)
{
    struct np_dns_conf conf = {0};
    char line[600] = "search ";

    np_dns_conf_init(&conf);
    for (int i = 0; i < 40; i++) {
        strcat(line, "domain.test ");
    }
    np_dns_conf_line(&conf, line);
    NP_CHECK_INT(strlen(conf.search) % 12, 0);
    NP_CHECK_INT(strlen(conf.search), 252);
}

static bool has_host(const char *text, const char *name)
{
    char line[200];
    struct np_addr addr;

    strcpy(line, text);
    return np_dns_hosts_line(line, name, &addr);
}

NP_TEST(dns, hosts)
{
    NP_CHECK(has_host("127.0.0.1 localhost", "localhost"));
    NP_CHECK(has_host("::1\tlocalhost ip6-localhost", "IP6-LocalHost."));
    NP_CHECK(!has_host("127.0.0.1 localhost", "local"));
    NP_CHECK(!has_host("127.0.0.1 local", "localhost"));
    NP_CHECK(!has_host("#127.0.0.1 localhost", "localhost"));
    NP_CHECK(!has_host("127.0.0.1 a # localhost", "localhost"));
    NP_CHECK(!has_host("nonsense localhost", "localhost"));
    NP_CHECK(!has_host("", "localhost"));
}

struct seen {
    uint32_t count, last_len, stop_at;
    char last;
};

static bool see(void *ctx, char *line)
{
    struct seen *seen = ctx;

    seen->last_len = (uint32_t)strlen(line);
    seen->last = seen->last_len > 0 ? line[seen->last_len - 1] : '\0';
    return ++seen->count != seen->stop_at;
}

/* Lines of every length around the most, the last one with or without its end. */
NP_TEST(dns, lines_of_files)
{
    char path[] = "/tmp/np-lines-XXXXXX", fill[5000];
    int fd = mkstemp(path);
    struct seen seen = {0};

    memset(fill, 'x', sizeof fill);
    NP_CHECK(fd >= 0);
    for (uint32_t len = 4090; len < 4100; len++) {
        NP_CHECK_INT(write(fd, fill, len), len);
        NP_CHECK_INT(write(fd, "\n\nyz\n", 5), 5);
    }
    NP_CHECK_INT(write(fd, "end", 3), 3);
    NP_CHECK(np_posix_read_lines(path, see, &seen));
    NP_CHECK_INT(seen.count, 31);
    NP_CHECK_INT(seen.last_len * 256 + (uint8_t)seen.last, 3 * 256 + 'd');
    seen = (struct seen){.stop_at = 4};
    NP_CHECK(np_posix_read_lines(path, see, &seen));
    NP_CHECK_INT(seen.count, 4);
    NP_CHECK_INT(seen.last_len, 4091);
    seen = (struct seen){.stop_at = 28}; /* the longest: its beginning */
    NP_CHECK(np_posix_read_lines(path, see, &seen));
    NP_CHECK_INT(seen.last_len, 4095);
    close(fd);
    unlink(path);
    NP_CHECK(!np_posix_read_lines(path, see, &seen));
}
