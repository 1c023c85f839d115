/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as JSON: the reader stays inside them, all it accepts can be walked, and what is
 * read can be written and read again with the same result. */
#include "core/http/json.h"
#include "tests/fuzz/fuzz.h"

#define OUT_CAP 65536u

/* Strict checker of UTF-8, apart from the one under test. */
static bool is_utf8(const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len;) {
        uint8_t c = (uint8_t)text[i++];
        uint32_t more = c < 0x80 ? 0 : (c & 0xe0) == 0xc0 ? 1u : (c & 0xf0) == 0xe0 ? 2u : 3u;
        uint32_t code = more == 0 ? c : c & (0x3fu >> more);
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (c >= 0xf8 || (c & 0xc0) == 0x80 || more > len - i) {
            return false;
        }
        for (uint32_t k = 0; k < more; k++, i++) {
            if (((uint8_t)text[i] & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | ((uint8_t)text[i] & 0x3fu);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

static void copy_value(struct np_json *out, const struct np_json_value *key,
                       const struct np_json_value *value, uint32_t depth);

static void copy_members(struct np_json *out, const struct np_json_value *parent, uint32_t depth)
{
    struct np_json_iter it;
    struct np_json_value found;
    static char name[OUT_CAP];
    uint32_t len;

    FUZZ_CHECK(depth < NP_JSON_DEPTH_MAX);
    for (bool more = np_json_first(&it, parent); more; more = np_json_next(&it)) {
        FUZZ_CHECK(it.value.text.base >= parent->text.base &&
                   it.value.text.base + it.value.text.len < parent->text.base + parent->text.len);
        copy_value(out, it.is_object ? &it.key : NULL, &it.value, depth + 1);
        if (it.is_object && np_json_text(&it.key, name, sizeof name, &len) == NP_OK) {
            FUZZ_CHECK(np_json_find(parent, name, &found));
        }
    }
}

/* Writes `value` as it was read. Strings with a NUL are left out: they can't be read. */
static void copy_value(struct np_json *out, const struct np_json_value *key,
                       const struct np_json_value *value, uint32_t depth)
{
    static char name[OUT_CAP], text[OUT_CAP];
    uint32_t len = 0;
    const char *lead = NULL;

    if (key != NULL) {
        /* Through a member of text: the one way to write a key that is data. */
        FUZZ_CHECK(key->kind == NP_JSON_STRING);
        struct np_slice value_text = value->kind == NP_JSON_STRING ? value->text : np_slice_of("");
        if (np_json_text(key, name, sizeof name, &len) == NP_OK) {
            FUZZ_CHECK(is_utf8(name, len) && strlen(name) == len);
            if (value->kind == NP_JSON_STRING &&
                np_json_text(value, text, sizeof text, &len) == NP_OK) {
                FUZZ_CHECK(len <= value_text.len * 3);
                np_json_put_member(out, np_slice_of(name), np_slice_of(text));
                return;
            }
        }
        lead = "k";
    }
    switch (value->kind) {
    case NP_JSON_OBJECT:
    case NP_JSON_ARRAY:
        np_json_open(out, lead, value->kind == NP_JSON_OBJECT ? '{' : '[');
        copy_members(out, value, depth);
        np_json_close(out, value->kind == NP_JSON_OBJECT ? '}' : ']');
        return;
    case NP_JSON_STRING:
        if (np_json_text(value, text, sizeof text, &len) == NP_OK) {
            FUZZ_CHECK(is_utf8(text, len) && np_json_is_text(value, text));
        }
        np_json_put_text(out, lead, text);
        return;
    default:
        np_json_put_value(out, lead, value->text);
        return;
    }
}

/* Everything in the same order with the same meaning; returns the length written. */
static uint32_t copy_json(char *mem, const struct np_json_value *root)
{
    struct np_json out;

    np_json_init(&out, mem, OUT_CAP);
    copy_value(&out, NULL, root, 0);
    return out.is_full ? 0 : out.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char once[OUT_CAP], twice[OUT_CAP];
    struct np_json_value root, again;
    char *copy = (char *)fuzz_copy(data, size);
    struct np_slice text = {copy, (uint32_t)size};
    enum np_err err = np_json_parse(text, &root);

    FUZZ_CHECK(err == NP_OK || err == NP_ERR_INVALID || err == NP_ERR_LIMIT);
    if (err == NP_OK) {
        FUZZ_CHECK(root.text.base >= copy && root.text.base + root.text.len <= copy + size);
        /* What follows the value does not matter; a cut inside it does. */
        struct np_slice exact = {copy, (uint32_t)(root.text.base - copy) + root.text.len};
        exact.len += root.kind == NP_JSON_STRING ? 1u : 0;
        FUZZ_CHECK(np_json_parse(exact, &again) == NP_OK && again.text.len == root.text.len);
        if (root.kind >= NP_JSON_STRING) {
            exact.len--;
            FUZZ_CHECK(np_json_parse(exact, &again) != NP_OK);
        }
        struct np_slice written = {once, copy_json(once, &root)};
        if (written.len > 0) {
            FUZZ_CHECK(np_json_parse(written, &again) == NP_OK);
            FUZZ_CHECK(is_utf8(once, written.len) || root.kind == NP_JSON_NUMBER);
            FUZZ_CHECK(memchr(once, '<', written.len) == NULL);
            uint32_t len = copy_json(twice, &again);
            FUZZ_CHECK(len == written.len && memcmp(once, twice, len) == 0);
        }
    }
    free(copy);
    return 0;
}
