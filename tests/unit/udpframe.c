/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/wire/udpframe.h"

#include "tests/unit/np_test.h"

NP_TEST(udpframe, every_length)
{
    uint8_t header[NP_UDPFRAME_HEADER];

    for (uint32_t len = 0; len <= 65535; len++) {
        np_udpframe_put(header, len);
        NP_CHECK_INT(header[0] * 256 + header[1], len); /* big-endian */
        NP_CHECK_INT(np_udpframe_len(header), len);
    }
}
