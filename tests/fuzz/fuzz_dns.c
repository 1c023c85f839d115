/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers of name servers, to the question "a.test", and lines of the files about names. */
#include "platform/posix/dns_files.h"
#include "platform/posix/dns_message.h"
#include "platform/posix/zone.h"
#include "tests/fuzz/fuzz.h"

#define ADDRS 3u

static void check_answer(const uint8_t *data, uint32_t size, enum np_dns_type type, bool is_ours)
{
    uint8_t question[NP_DNS_QUESTION_CAP], *answer = fuzz_copy(data, size);
    struct np_addr *addrs = calloc(ADDRS, sizeof(*addrs));
    uint32_t count = 99, len = np_dns_ask(question, 7, "a.test", type);

    FUZZ_CHECK(addrs != NULL && len == 24);
    if (is_ours && size >= len) { /* else few inputs come as far as the records */
        answer[0] = 0;
        answer[1] = 7;
        answer[2] |= 0x80;
        answer[4] = 0;
        answer[5] = 1;
        memcpy(answer + 12, question + 12, len - 12);
    }
    enum np_dns_result result = np_dns_read(answer, size, question, len, addrs, ADDRS, &count);
    FUZZ_CHECK(count <= ADDRS && (count == 0 || result == NP_DNS_KNOWN));
    FUZZ_CHECK(size >= len || result == NP_DNS_FOREIGN);
    FUZZ_CHECK(!is_ours || size < len || result != NP_DNS_FOREIGN);
    for (uint32_t i = 0; i < count; i++) {
        FUZZ_CHECK(addrs[i].family == (type == NP_DNS_A ? NP_FAMILY_IP4 : NP_FAMILY_IP6));
    }
    free(addrs);
    free(answer);
}

static void check_text(const uint8_t *data, size_t size)
{
    struct np_dns_conf conf = {0};
    struct np_addr addr;
    struct np_zone zone;
    char *line = (char *)malloc(size + 1);
    uint8_t question[NP_DNS_QUESTION_CAP];

    FUZZ_CHECK(line != NULL);
    memcpy(line, data, size);
    line[size] = '\0';
    FUZZ_CHECK(np_dns_ask(question, 1, line, NP_DNS_A) <= sizeof(question));
    if (np_zone_parse(&zone, line)) {
        int32_t offset = np_zone_offset(&zone, 1700000000);
        FUZZ_CHECK(offset == zone.standard_s || (zone.has_summer && offset == zone.summer_s));
    }
    np_dns_conf_init(&conf);
    np_dns_conf_line(&conf, line);
    FUZZ_CHECK(conf.servers_count <= NP_DNS_SERVERS && conf.attempts > 0 && conf.timeout_s > 0);
    FUZZ_CHECK(memchr(conf.search, 0, sizeof(conf.search)) != NULL);
    memcpy(line, data, size);
    (void)np_dns_hosts_line(line, "a.test", &addr);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_answer(data, (uint32_t)size, NP_DNS_A, true);
    check_answer(data, (uint32_t)size, NP_DNS_AAAA, true);
    check_answer(data, (uint32_t)size, NP_DNS_A, false);
    check_text(data, size);
    return 0;
}
