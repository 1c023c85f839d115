/* SPDX-License-Identifier: BSD-3-Clause */
/* content: byte `offset` of what `number` sends. The first HEADER bytes tell the number. */
#include <string.h>

#include "tests/sim/scene.h"

static uint64_t word_at(uint32_t number, uint64_t index)
{
    uint64_t z = ((uint64_t)number << 40) + index * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return index == 0 ? UINT64_C(0xa7000000c3000000) | (uint64_t)(number & 0xffffff) << 32
                      : z ^ (z >> 31);
}

void content_fill(uint8_t *out, uint32_t number, uint64_t offset, uint32_t len)
{
    uint32_t done = 0;
    while (done < len) {
        uint64_t word = word_at(number, (offset + done) / 8);
        uint32_t skip = (uint32_t)((offset + done) % 8);
        uint32_t part = 8 - skip < len - done ? 8 - skip : len - done;
        memcpy(out + done, (const uint8_t *)&word + skip, part);
        done += part;
    }
}

uint32_t content_check(const uint8_t *in, uint32_t number, uint64_t offset, uint32_t len)
{
    uint8_t want[512];
    for (uint32_t done = 0; done < len;) {
        uint32_t part = len - done < sizeof want ? len - done : (uint32_t)sizeof want;
        content_fill(want, number, offset + done, part);
        if (memcmp(in + done, want, part) != 0) {
            for (uint32_t i = 0;; i++) {
                if (in[done + i] != want[i]) {
                    return done + i;
                }
            }
        }
        done += part;
    }
    return len;
}
