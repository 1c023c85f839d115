/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/err.h"

#include <limits.h>
#include <string.h>

#include "tests/unit/np_test.h"

NP_TEST(err, known_texts)
{
    NP_CHECK_STR(np_err_text(NP_OK), "success");
    NP_CHECK_STR(np_err_text(NP_ERR_EOF), "end of stream");
    NP_CHECK_STR(np_err_text(NP_ERR_REFUSED), "connection refused");
    NP_CHECK_STR(np_err_text(NP_ERR_ADDR_IN_USE), "address in use");
    NP_CHECK_STR(np_err_text(NP_ERR_AUTH), "wrong key");
    NP_CHECK_STR(np_err_text(NP_ERR_CANCELED), "canceled");
}

NP_TEST(err, every_text_is_short_lower_case_and_its_own)
{
    for (int err = NP_OK; err >= NP_ERR_CANCELED; err--) {
        const char *text = np_err_text((enum np_err)err);
        np_test_context("err %d", err);
        NP_CHECK(strlen(text) >= 4 && strlen(text) <= 24);
        for (const char *c = text; *c != 0; c++) {
            NP_CHECK((*c >= 'a' && *c <= 'z') || *c == ' ' || *c == '/');
        }
        NP_CHECK(strcmp(text, "unknown error") != 0);
        for (int other = NP_OK; other > err; other--) {
            NP_CHECK(strcmp(text, np_err_text((enum np_err)other)) != 0);
        }
    }
}

NP_TEST(err, unknown_values)
{
    NP_CHECK_STR(np_err_text((enum np_err)1), "unknown error");
    NP_CHECK_STR(np_err_text((enum np_err)(NP_ERR_CANCELED - 1)), "unknown error");
    NP_CHECK_STR(np_err_text((enum np_err)INT_MAX), "unknown error");
    NP_CHECK_STR(np_err_text((enum np_err)INT_MIN), "unknown error");
}
