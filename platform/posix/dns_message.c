/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/posix/dns_message.h"

#include <string.h>

#define HEADER_LEN 12u
#define RECORD_LEN 10u /* type, class, time to live, length */
#define NAME_MAX_LEN 255u
#define PART_MAX 63u
#define CLASS_IN 1u
#define IS_ANSWER 0x80u  /* in the third byte */
#define IS_CUT 0x02u     /* in the third byte */
#define WANT_RECURSION 1 /* in the third byte */
#define CODE_MASK 0x0fu  /* in the fourth byte */
#define CODE_NO_NAME 3u

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* Writes `name` in parts. Returns the length, 0 if it is none. */
static uint32_t write_name(uint8_t *out, const char *name)
{
    uint32_t used = 0;

    while (*name != '\0') {
        uint32_t part = 0;

        while (name[part] != '\0' && name[part] != '.') {
            part++;
        }
        if (part == 0 || part > PART_MAX || used + part + 2 > NAME_MAX_LEN) {
            return 0;
        }
        out[used] = (uint8_t)part;
        memcpy(out + used + 1, name, part);
        used += part + 1;
        name += part + (name[part] == '.');
    }
    out[used] = 0;
    return used == 0 ? 0 : used + 1;
}

uint32_t np_dns_ask(uint8_t out[NP_DNS_QUESTION_CAP], uint16_t id, const char *name,
                    enum np_dns_type type)
{
    uint32_t len = write_name(out + HEADER_LEN, name);

    if (len == 0) {
        return 0;
    }
    memset(out, 0, HEADER_LEN);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    out[2] = WANT_RECURSION;
    out[5] = 1; /* one question */
    len += HEADER_LEN;
    out[len] = 0;
    out[len + 1] = (uint8_t)type;
    out[len + 2] = 0;
    out[len + 3] = CLASS_IN;
    return len + 4;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Id and question are ours; servers may change the case of letters. */
static bool is_for(const uint8_t *answer, uint32_t len, const uint8_t *question,
                   uint32_t question_len)
{
    if (len < question_len || word_at(answer) != word_at(question) ||
        (answer[2] & IS_ANSWER) == 0 || word_at(answer + 4) != 1) {
        return false;
    }
    for (uint32_t i = HEADER_LEN; i < question_len; i++) {
        if (lower(answer[i]) != lower(question[i])) {
            return false;
        }
    }
    return true;
}

/* Where what follows the name at `at` begins; 0 if the name does not end. */
static uint32_t skip_name(const uint8_t *answer, uint32_t len, uint32_t at)
{
    while (at < len && answer[at] != 0) {
        if (answer[at] >= 0xc0) {
            return at + 2; /* the rest is told by a place before */
        }
        if (answer[at] > PART_MAX) {
            return 0;
        }
        at += 1u + answer[at];
    }
    return at < len ? at + 1 : 0;
}

/* `record` begins behind its name and lies within the answer. */
static bool take_address(struct np_addr *addr, const uint8_t *record)
{
    bool is_ip4 = word_at(record) == NP_DNS_A;
    uint32_t len = is_ip4 ? 4 : 16;

    if (word_at(record + 8) != len) {
        return false;
    }
    memset(addr, 0, sizeof(*addr));
    addr->family = is_ip4 ? NP_FAMILY_IP4 : NP_FAMILY_IP6;
    memcpy(addr->ip, record + RECORD_LEN, len);
    return true;
}

enum np_dns_result np_dns_read(const uint8_t *answer, uint32_t len, const uint8_t *question,
                               uint32_t question_len, struct np_addr *addrs, uint32_t cap,
                               uint32_t *count)
{
    *count = 0;
    if (!is_for(answer, len, question, question_len)) {
        return NP_DNS_FOREIGN;
    }
    uint32_t type = word_at(question + question_len - 4), at = question_len;
    uint32_t code = answer[3] & CODE_MASK;
    bool is_whole = true;
    if (code != 0) {
        return code == CODE_NO_NAME ? NP_DNS_NO_NAME : NP_DNS_FAILED;
    }
    for (uint32_t left = word_at(answer + 6); left > 0 && is_whole; left--) {
        at = skip_name(answer, len, at);
        is_whole =
            at != 0 && at + RECORD_LEN <= len && at + RECORD_LEN + word_at(answer + at + 8) <= len;
        if (!is_whole) {
            break;
        }
        const uint8_t *record = answer + at;
        at += RECORD_LEN + word_at(record + 8);
        if (word_at(record) == type && word_at(record + 2) == CLASS_IN && *count < cap) {
            *count += take_address(&addrs[*count], record);
        }
    }
    is_whole = is_whole && (answer[2] & IS_CUT) == 0;
    return is_whole || *count > 0 ? NP_DNS_KNOWN : NP_DNS_FAILED;
}
